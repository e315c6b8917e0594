//! A host that is dropped takes its threads and its calls along. Alone in its process, because it counts threads.

#[path = "component/harness.rs"]
#[expect(dead_code, reason = "shared with the other tests")]
mod harness;

use std::fs;

use framex_plugin_host::{BodyError, CallContext, CallError, empty_body};

use harness::{eventually, generous, get, request, rogue, text_and_error, within};

/// The host's threads that are alive in this process.
fn host_threads() -> Vec<String> {
    fs::read_dir("/proc/self/task")
        .expect("Linux")
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| name.starts_with("framex-"))
        .collect()
}

#[tokio::test]
async fn a_dropped_host_leaves_no_thread_behind_whatever_its_guests_do() {
    let (host, rogue) = rogue(&generous());
    assert!(!host_threads().is_empty());
    let spinning = {
        let rogue = rogue.clone();
        tokio::spawn(async move {
            let call = rogue.call(request("/spin", empty_body()), CallContext::default());
            call.await.map(|response| response.status())
        })
    };
    let half = get(&rogue, "/half?sleep").await.expect("a response");
    let half_spinning = get(&rogue, "/half?spin").await.expect("a response");
    eventually("all three run", || rogue.stats().instantiations == 3).await;

    // Dropped inside a runtime, on purpose.
    drop(host);

    let spun = within(spinning).await.expect("no panic");
    assert_eq!(spun, Err(CallError::HostStopped));
    for response in [half, half_spinning] {
        let (received, error) = text_and_error(response).await;
        assert!("the first half\n".starts_with(&received), "{received}");
        assert!(matches!(&error, Some(BodyError::Plugin(CallError::HostStopped))), "{error:?}");
    }
    let late = get(&rogue, "/hello").await.expect_err("a refusal");
    assert_eq!(late, CallError::HostStopped);
    eventually("the threads are gone", || host_threads().is_empty()).await;
}
