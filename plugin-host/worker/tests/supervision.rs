//! Real processes: how they are started, watched, started again and ended.

use framex_plugin_worker::{
    Listen, Ready, ReplicaState, SpecError, StartError, Trial, WorkerAddress, WorkerLimits, WorkerSet, WorkerSpec,
};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(30);

fn spec(listen: Listen, environment: &[(&str, &str)]) -> WorkerSpec {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worker.py");
    WorkerSpec {
        name: "demo/worker".to_owned(),
        command: vec!["python3".to_owned(), script.display().to_string()],
        directory: std::env::temp_dir(),
        environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        listen,
        ready: Ready { path: Some("/".to_owned()), timeout: Duration::from_secs(20) },
        replicas: 1,
        stop_grace: Duration::from_secs(10),
        limits: WorkerLimits::default(),
    }
}

fn on_sockets(folder: &TempDir) -> Listen {
    Listen::UnixSocket(folder.path().join("sockets"))
}

fn start(spec: WorkerSpec) -> WorkerSet {
    WorkerSet::start(spec, &Handle::current()).expect("a good specification")
}

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "never happened: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn ready(set: &WorkerSet, count: usize) -> Vec<WorkerAddress> {
    eventually("the replicas are ready", || set.addresses().borrow().len() == count).await;
    set.addresses().borrow().clone()
}

async fn get(address: &WorkerAddress, path: &str) -> String {
    async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.expect("it listens");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }
    match address {
        WorkerAddress::Unix(socket) => ask(UnixStream::connect(socket).await.expect("it listens"), path).await,
        WorkerAddress::Tcp(address) => ask(TcpStream::connect(address).await.expect("it listens"), path).await,
    }
}

fn lives(process: &str) -> bool {
    // A process that has ended and was not waited for is a zombie.
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z'))
}

#[tokio::test]
async fn replicas_answer_on_sockets_that_only_we_may_use_or_on_ports() {
    let folder = tempfile::tempdir().expect("a folder");
    for listen in [on_sockets(&folder), Listen::Port] {
        let set = start(WorkerSpec { replicas: 3, ..spec(listen, &[]) });
        let mut processes = Vec::new();
        for address in ready(&set, 3).await {
            processes.push(get(&address, "/").await);
        }
        processes.sort();
        processes.dedup();
        assert_eq!(processes.len(), 3, "each is a process of its own");
        set.stop().await;
        assert!(processes.iter().all(|process| !lives(process)));
    }
    let left = std::fs::read_dir(folder.path().join("sockets")).expect("the folder").count();
    assert_eq!(left, 0, "sockets go with their replicas");
}

#[tokio::test]
async fn a_replica_that_crashes_is_started_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = start(spec(on_sockets(&folder), &[]));
    let [first] = ready(&set, 1).await.try_into().expect("one");
    let process = get(&first, "/").await;
    get(&first, "/crash").await;
    eventually("it is gone", || set.addresses().borrow().first() != Some(&first)).await;
    let [second] = ready(&set, 1).await.try_into().expect("one");
    assert_ne!(get(&second, "/").await, process);
    assert_ne!(first, second, "a new replica never meets an old socket");
}

#[tokio::test]
async fn a_command_that_cannot_run_is_tried_again_and_said_to_be_in_a_crash_loop() {
    let folder = tempfile::tempdir().expect("a folder");
    for (command, environment, expected) in [
        (vec!["/no/such/program".to_owned()], &[][..], "cannot be started"),
        (spec(Listen::Port, &[]).command, &[("FAIL", "1")][..], "exit status: 3"),
    ] {
        let set = start(WorkerSpec { command, ..spec(on_sockets(&folder), environment) });
        eventually("a crash loop", || {
            matches!(&set.states()[0], ReplicaState::Waiting { reason, crash_loop: true } if reason.contains(expected))
        })
        .await;
        assert!(set.addresses().borrow().is_empty());
    }
}

#[tokio::test]
async fn a_replica_that_is_not_ready_in_time_is_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = Ready { path: Some("/sick".to_owned()), timeout: Duration::from_millis(500) };
    let set = start(WorkerSpec { ready, ..spec(on_sockets(&folder), &[]) });
    eventually(
        "it is given up",
        || matches!(&set.states()[0], ReplicaState::Waiting { reason, .. } if reason.contains("did not become ready")),
    )
    .await;
    set.decided().await;
    assert_eq!(set.trial(), Trial::Failed("it did not become ready within 500ms".to_owned()));
}

#[tokio::test]
async fn the_whole_process_group_ends_also_when_it_does_not_want_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let short = Duration::from_millis(300);
    let set = start(WorkerSpec { stop_grace: short, ..spec(on_sockets(&folder), &[("IGNORE_TERM", "1")]) });
    let [address] = ready(&set, 1).await.try_into().expect("one");
    let (process, child) = (get(&address, "/").await, get(&address, "/child").await);
    assert!(lives(&process) && lives(&child));
    set.stop().await;
    assert!(!lives(&process));
    eventually("its child is gone", || !lives(&child)).await;
}

#[tokio::test]
async fn a_set_that_is_dropped_ends_its_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = start(spec(on_sockets(&folder), &[]));
    let [address] = ready(&set, 1).await.try_into().expect("one");
    let process = get(&address, "/").await;
    drop(set);
    eventually("it is gone", || !lives(&process)).await;
}

#[tokio::test]
async fn a_worker_sees_the_environment_it_was_given_and_nothing_of_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = start(spec(on_sockets(&folder), &[("MODEL", "small")]));
    let [address] = ready(&set, 1).await.try_into().expect("one");
    let names = get(&address, "/environment").await;
    assert!(names.lines().any(|name| name == "MODEL") && names.lines().any(|name| name == "GW_SOCKET"), "{names}");
    assert!(!names.contains("CARGO"), "{names}");
}

#[tokio::test]
async fn a_specification_that_makes_no_sense_is_refused() {
    let refuse = |spec: WorkerSpec| WorkerSet::start(spec, &Handle::current()).expect_err("a refusal");
    let good = || spec(Listen::Port, &[]);
    assert!(matches!(refuse(WorkerSpec { command: Vec::new(), ..good() }), StartError::Spec(SpecError::NoCommand)));
    assert!(matches!(refuse(WorkerSpec { replicas: 0, ..good() }), StartError::Spec(SpecError::Replicas(0))));
}

#[tokio::test]
async fn memory_is_limited_where_the_system_lets_us() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = WorkerLimits { memory: Some(256 << 20), cpu_millis: None };
    let greedy = "import os, sys\nblock = b'x' * (1 << 30)";
    let command = ["python3", "-c", greedy].map(str::to_owned).to_vec();
    let set = start(WorkerSpec { limits, command, ..spec(on_sockets(&folder), &[]) });
    eventually("it fails", || matches!(&set.states()[0], ReplicaState::Waiting { .. })).await;
    let ReplicaState::Waiting { reason, .. } = &set.states()[0] else { panic!("it was not stopped") };
    // A MemoryError of Python's, or the kernel's own end.
    assert!(reason.contains("exit status: 1") || reason.contains("signal: 9"), "{reason}");
}
