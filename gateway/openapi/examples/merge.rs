//! Merges documents: `merge namespace/source=document.json ...`, each under `/api/v1/namespace/source`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "throw-away")]
use framex_openapi::*;
use std::sync::Arc;
fn main() {
    let mut parts = vec![];
    let mut notes = vec![];
    for argument in std::env::args().skip(1) {
        let (who, file) = argument.split_once('=').unwrap();
        let (namespace, source) = who.split_once('/').unwrap();
        let start = std::time::Instant::now();
        let document = Document::read(&std::fs::read(file).unwrap(), &Bounds::default()).unwrap();
        eprintln!("read {file} {:?}", start.elapsed());
        notes.extend(document.notes().iter().map(|note| format!("{who}: {note}")));
        let operations = document
            .operations()
            .iter()
            .map(|operation| Published {
                path: operation.path().to_owned(),
                method: operation.method(),
                public_path: PathTemplate::parse(&format!("/api/v1/{namespace}/{source}{}", operation.path())).unwrap(),
                is_public: operation.path().contains("public"),
                is_deprecated: false,
            })
            .collect();
        parts.push(Part {
            document: Some(Arc::new(document)),
            namespace: namespace.to_owned(),
            source: source.to_owned(),
            description: None,
            operations,
        });
    }
    let unknown = |path: &str, method| Published {
        path: path.to_owned(),
        method,
        public_path: PathTemplate::parse(path).unwrap(),
        is_public: false,
        is_deprecated: true,
    };
    parts.push(Part {
        document: None,
        namespace: "team".into(),
        source: "tool".into(),
        description: Some("A tool".into()),
        operations: vec![
            unknown("/api/v1/team/tool/{item-id}/**", Method::Get),
            unknown("/api/v1/team/tool", Method::Post),
        ],
    });
    let about = About {
        title: "Gateway".to_owned(),
        version: "1".to_owned(),
        description: Some("All".to_owned()),
        servers: vec![serde_json::json!({ "url": "/" })],
        security_schemes: serde_json::json!({ "bearer": { "type": "http", "scheme": "bearer" } })
            .as_object()
            .unwrap()
            .clone(),
    };
    let start = std::time::Instant::now();
    let merged = merge(&about, &parts);
    eprintln!("merge {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let framex = for_framex(&merged.document, "edge");
    eprintln!("for_framex {:?}", start.elapsed());
    let left_out: Vec<String> = framex.left_out.iter().map(ToString::to_string).collect();
    println!(
        "{}",
        serde_json::json!({ "merged": merged.document, "framex": framex.document, "left_out": left_out, "notes": notes,
        "dropped": merged.left_out.iter().map(ToString::to_string).collect::<Vec<_>>() })
    );
}
