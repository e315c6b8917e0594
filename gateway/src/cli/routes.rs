//! `routes`: the compiled table as people read it.

use super::check::compile_for_question;
use super::output;
use std::path::Path;
use std::process::ExitCode;

/// Prints every route, most precise first.
pub(super) fn routes(file: &Path) -> anyhow::Result<ExitCode> {
    let snapshot = compile_for_question(file)?;
    let mut rows = vec![["NAMESPACE", "REQUEST", "TO", "KIND", "ACCESS", "NAME"].map(str::to_owned)];
    rows.extend(snapshot.routes_in_order().map(|(matches, route)| {
        [
            route.namespace.to_string(),
            matches.to_string(),
            route.describe_target(),
            route.target.kind().label().to_owned(),
            if route.rule.public { "public" } else { "token" }.to_owned(),
            route.name.clone(),
        ]
    }));
    output::print(&table(&rows));
    Ok(ExitCode::SUCCESS)
}

/// Columns as wide as their widest cell, two spaces apart.
fn table<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["A", "LONG"], ["bbb", "c"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "A    LONG\nbbb  c\n");
    }
}
