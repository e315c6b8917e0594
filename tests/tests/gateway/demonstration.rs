//! What `make run` shows.

use framex_tests::{Demonstration, within};
use tokio::process::Command;

#[tokio::test]
async fn every_command_that_the_demonstration_shows_works_and_ctrl_c_ends_all_of_it() {
    let demonstration = Demonstration::start().await;
    let commands = demonstration.commands();
    assert!(commands.len() >= 5, "{commands:?}");
    let mut outputs = Vec::new();
    for command in &commands {
        let run = Command::new("bash").args(["-o", "pipefail", "-c", command]).output();
        let output = within(command, run).await.expect("bash can be started");
        assert!(output.status.success(), "{command}: {output:?}");
        outputs.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    for (what, expected) in [
        ("the plugin in the process", "\"words\":6"),
        ("the FrameX plugin that asks another", "one door in front of many services"),
        ("the stream", "event: finish"),
        ("the catalogue", "\"name\":\"tea\""),
        ("a call without a token", "HTTP/1.1 401"),
        ("the metrics", "framex_gateway_requests_total"),
    ] {
        assert!(outputs.iter().any(|output| output.contains(expected)), "{what}: {outputs:?}");
    }
    assert_eq!(demonstration.interrupt().await.code(), Some(0));
    // Nobody answers any more; curl says so with exit code 7.
    let last = Command::new("bash").args(["-c", &commands[3]]).output().await.expect("bash can be started");
    assert_eq!(last.status.code(), Some(7), "{}: {last:?}", commands[3]);
}
