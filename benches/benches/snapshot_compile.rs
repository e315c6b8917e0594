//! From files to a snapshot: a first start (*new*), and a reload where nothing changed (*unchanged*) or one route of
//! one namespace did (*one_changed*). Reading the files is part of it.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use framex_gateway::config;
use framex_gateway::snapshot::{Compiler, Snapshot, Trials};
use framex_gateway::telemetry::Metrics;
use framex_plugin_host::component::{ComponentHost, HostSettings};
use std::fmt::Write;
use std::path::Path;

/// Routes and in how many namespaces they are; the last one is a single file that a machine wrote.
const SIZES: [(usize, usize); 4] = [(10, 1), (1_000, 20), (10_000, 200), (10_000, 1)];

fn write_configuration(folder: &Path, routes: usize, namespaces: usize) {
    let gateway = "listeners: [{ address: 127.0.0.1:0 }]\nadmin: { address: 127.0.0.1:0 }\n";
    std::fs::create_dir(folder.join("namespaces")).expect("a folder can be made");
    std::fs::write(folder.join("gateway.yaml"), gateway).expect("a file can be written");
    for namespace in 0..namespaces {
        write_namespace(folder, namespace, routes / namespaces, "");
    }
}

fn write_namespace(folder: &Path, namespace: usize, routes: usize, suffix: &str) {
    let mut text = format!(
        "namespace: team-{namespace}\nbackends:\n  app: {{ http: {{ endpoints: [\"http://127.0.0.1:8000\"] }} }}\nroutes:\n"
    );
    for route in 0..routes {
        writeln!(text, "  - match: {{ path: \"/api/v1/team-{namespace}/items-{route}/{{id}}{suffix}\", methods: [GET] }}\n    to: app")
            .expect("a text takes everything");
    }
    std::fs::write(folder.join(format!("namespaces/team-{namespace}.yaml")), text).expect("a file can be written");
}

fn compile(compiler: &Compiler, folder: &Path, previous: Option<&Snapshot>) -> Snapshot {
    let compiled = compiler.compile(config::load(&folder.join("gateway.yaml")), previous, Trials::default());
    assert!(compiled.problems.is_empty(), "{:?}", compiled.problems.first());
    compiled.snapshot.expect("a snapshot")
}

fn snapshot_compile(criterion: &mut Criterion) {
    let host = ComponentHost::start(HostSettings::default()).expect("the component host starts");
    let compiler = Compiler::new(host, Metrics::new());
    let mut group = criterion.benchmark_group("snapshot_compile");
    group.sample_size(10);
    for (routes, namespaces) in SIZES {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_configuration(folder.path(), routes, namespaces);
        let size = format!("{routes}_in_{namespaces}");
        group.bench_function(BenchmarkId::new("new", &size), |bencher| {
            bencher.iter(|| compile(&compiler, folder.path(), None));
        });
        let previous = compile(&compiler, folder.path(), None);
        group.bench_function(BenchmarkId::new("unchanged", &size), |bencher| {
            bencher.iter(|| compile(&compiler, folder.path(), Some(&previous)));
        });
        write_namespace(folder.path(), 0, routes / namespaces, "/v2");
        group.bench_function(BenchmarkId::new("one_changed", &size), |bencher| {
            bencher.iter(|| compile(&compiler, folder.path(), Some(&previous)));
        });
    }
    group.finish();
}

criterion_group!(benches, snapshot_compile);
criterion_main!(benches);
