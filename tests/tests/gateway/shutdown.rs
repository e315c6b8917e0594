//! How the gateway stops.

use crate::configurations::plugins;
use framex_tests::{Conf, Gateway, Upstream, eventually, one_route, within};
use nix::sys::signal::Signal;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

#[tokio::test]
async fn sigterm_lets_running_requests_finish_and_takes_no_new_connections() {
    let finish = Arc::new(Semaphore::new(0));
    let of_backend = finish.clone();
    let upstream = Upstream::serving(move |mut exchange| {
        let finish = of_backend.clone();
        async move {
            exchange.begin_chunks("text/plain").await?;
            exchange.chunk("the beginning").await?;
            finish.acquire().await.map_err(std::io::Error::other)?.forget();
            exchange.chunk(" and the end").await?;
            exchange.chunk("").await?;
            Ok(exchange)
        }
    })
    .await;
    let conf = plugins("timeout: 1h").namespace(
        "other",
        &crate::configurations::one_backend_yaml(&[&upstream.url()], "", "").replace("/demo/", "/other/"),
    );
    let mut gateway = Gateway::start(conf).await;
    let mut proxied = gateway.get("/api/v1/other/x").open().await;
    proxied.until("the beginning").await;
    let (call, body) = gateway.post("/api/v1/demo/rogue/echo").streaming();
    let mut echo = call.open().await;

    gateway.signal(Signal::SIGTERM);
    gateway.logs("stopping").await;
    eventually("the listener is closed", async || TcpStream::connect(gateway.address()).await.is_err().then_some(()))
        .await;

    body.send("still served".into()).await.expect("the upload goes on");
    echo.until("still served").await;
    drop(body);
    assert_eq!(echo.piece().await, None);
    finish.add_permits(1);
    assert_eq!(proxied.whole().await.text(), " and the end");
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert_eq!(gateway.access_lines().len(), 2, "the access log is complete");
}

#[tokio::test]
async fn an_idle_gateway_stops_at_once() {
    let upstream = Upstream::replying("v1").await;
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut gateway = Gateway::start(one_route(&upstream).platform("shutdown: { grace: 1h }")).await;
        let idle = framex_tests::Connection::open(gateway.address(), framex_tests::Protocol::Http1).await;
        assert_eq!(idle.call(gateway.get("/api/v1/demo/x")).await.text(), "v1");
        gateway.signal(signal);
        assert_eq!(gateway.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_after_the_grace_period() {
    let mut gateway = Gateway::start(plugins("timeout: 1h, cpu: 1h").platform("shutdown: { grace: 200ms }")).await;
    let mut endless = gateway.get("/api/v1/demo/rogue/endless").open().await;
    endless.piece().await;
    gateway.signal(Signal::SIGTERM);
    let reading = async { while let Some(Ok(_)) = endless.try_piece().await {} };
    within("the answer is cut", reading).await;
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(gateway.log().contains("requests were cut"));
}

#[tokio::test]
async fn a_load_balancer_has_time_to_notice_the_stop() {
    let upstream = Upstream::replying("v1").await;
    let mut gateway = Gateway::start(one_route(&upstream).platform("shutdown: { delay: 2s }")).await;
    gateway.signal(Signal::SIGTERM);
    gateway.logs("stopping").await;
    let answer = gateway.admin("GET", "/readyz").await;
    assert_eq!((answer.status, answer.text().as_str()), (503, "not ready: stopping\n"));
    assert_eq!(gateway.admin("GET", "/livez").await.status, 200);
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "v1");
    assert_eq!(gateway.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let mut gateway = Gateway::start(plugins("timeout: 1h").platform("shutdown: { grace: 1h, delay: 1h }")).await;
    let _endless = gateway.get("/api/v1/demo/rogue/half?sleep").open().await;
    gateway.signal(Signal::SIGTERM);
    gateway.logs("stopping").await;
    gateway.signal(Signal::SIGTERM);
    assert_eq!(gateway.ended().await.code(), Some(1));
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_clear_error() {
    let running = Gateway::start(Conf::new()).await;
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let taken = running.address();
    let conf = Conf::new().platform(&format!("listeners: [{{ address: \"{taken}\" }}]"));
    let config = conf.write(folder.path());
    let finished = framex_tests::command_line(["run".as_ref(), "--config".as_ref(), config.as_os_str()]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.errors.contains(&format!("cannot listen on {taken}")), "{}", finished.errors);
}
