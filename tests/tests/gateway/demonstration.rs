//! What `make run` shows.

use framex_tests::{Demonstration, repository, within};
use tokio::process::Command;

#[tokio::test]
async fn every_command_that_the_demonstration_shows_works_and_ctrl_c_ends_all_of_it() {
    let demonstration = Demonstration::start().await;
    let commands = demonstration.commands();
    assert_eq!(commands.len(), 6, "{commands:?}");
    assert!(commands.iter().all(|command| command.contains("Authorization: Bearer ")), "{commands:?}");
    let mut outputs = Vec::new();
    for command in &commands {
        let run = Command::new("bash").args(["-c", command]).current_dir(repository(".")).output();
        let output = within(command, run).await.expect("bash can be started");
        assert!(output.status.success(), "{command}: {output:?}");
        outputs.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    for (what, expected) in [
        ("the plugin in the process", "\"words\":6"),
        ("the FrameX plugin that asks another", "one door in front of many services"),
        ("the stream", "event: finish"),
        ("an item", "\"name\":\"tea\""),
        ("the item's status", "HTTP/1.1 200"),
        ("the upload", "README.md"),
        ("the document", "\"/api/v1/shop/items/{number}\""),
    ] {
        assert!(outputs.iter().any(|output| output.contains(expected)), "{what}: {outputs:?}");
    }
    assert_eq!(demonstration.interrupt().await.code(), Some(0));
    // Nobody answers any more; curl says so with exit code 7.
    let last = Command::new("bash").args(["-c", &commands[3]]).output().await.expect("bash can be started");
    assert_eq!(last.status.code(), Some(7), "{}: {last:?}", commands[3]);
}
