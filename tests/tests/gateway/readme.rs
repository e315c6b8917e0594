//! What the README tells a stranger to do.

use framex_tests::{Conf, Gateway, Shop, command_line, repository};

/// The YAML blocks of the README, in their order.
fn yaml_blocks() -> Vec<String> {
    let text = std::fs::read_to_string(repository("README.md")).expect("the README");
    text.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

#[tokio::test]
async fn five_minutes_lead_to_a_route_of_ones_own() {
    let blocks = yaml_blocks();
    let [platform, namespace, ..] = &blocks[..] else { panic!("the two files of the README: {blocks:?}") };
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let shop = Shop::start().await;
    std::fs::create_dir(folder.path().join("namespaces")).expect("a folder");
    std::fs::write(folder.path().join("dev.secret"), "a".repeat(64)).expect("a file");
    std::fs::write(folder.path().join("gateway.yaml"), platform).expect("a file");
    let namespace = namespace.replace("127.0.0.1:8000", &shop.address().to_string());
    std::fs::write(folder.path().join("namespaces/vision.yaml"), &namespace).expect("a file");
    let config = folder.path().join("gateway.yaml").display().to_string();
    let checked = command_line(["check", "--config", &config]).await;
    assert_eq!(checked.code, Some(0), "{}", checked.errors);

    let minted = command_line(["token", "--config", &config, "--subject", "me", "--namespace", "vision"]).await;
    let token = minted.output.trim();
    let said = command_line([
        "explain",
        "--config",
        &config,
        "--method",
        "GET",
        "--path",
        "/api/v1/vision/items",
        "--token",
        token,
    ])
    .await;
    assert!(said.code == Some(0) && said.output.contains("The caller may use the route."), "{}", said.output);

    // The same with an address of the test's own, and its issuer.
    let (_, rest) = namespace.split_once("namespace: vision\n").expect("the namespace names itself");
    let gateway = Gateway::start(Conf::new().namespace("vision", rest)).await;
    let answer = gateway.get("/api/v1/vision/items").bearer(&gateway.token("me", "vision")).await;
    assert!(answer.status == 200 && answer.text().contains("tea"), "{}", answer.text());
    assert_eq!(gateway.get("/api/v1/vision/items").await.status, 401);
    assert_eq!(gateway.get("/api/v1/vision/docs").await.status, 200);
}

#[tokio::test]
async fn every_other_configuration_of_the_readme_is_right() {
    let blocks = yaml_blocks();
    assert_eq!(blocks.len(), 6, "{blocks:?}");
    for block in &blocks[2..] {
        let mut namespace = block.clone();
        if !block.contains("routes:") {
            let (_, rest) = block.split_once("plugins:\n  ").expect("a plugin");
            let (name, _) = rest.split_once(':').expect("its name");
            namespace.push_str(&format!("routes: [{{ match: {{ path: /api/v1/vision/** }}, to: {name} }}]\n"));
        }
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let config =
            Conf::new().namespace("vision", &namespace).file(".env", "CLOUD_KEY=secret\n").write(folder.path());
        let component = folder.path().join("namespaces/text-stats.wasm");
        std::fs::copy(repository("plugins/text-stats/text-stats.wasm"), component).expect("a file");
        let checked = command_line(["check", "--config", &config.display().to_string()]).await;
        assert_eq!(checked.code, Some(0), "{namespace}: {}", checked.errors);
    }
}
