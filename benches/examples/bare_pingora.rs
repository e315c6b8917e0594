//! A bare Pingora proxy: the least that forwards a request. What the gateway costs beyond it is the gateway's own.
//!
//! `bare_pingora <port to listen on> <address of the upstream>`

use async_trait::async_trait;
use pingora_core::server::Server;
use pingora_core::server::configuration::{Opt, ServerConf};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

struct Forward(HttpPeer);

#[async_trait]
impl ProxyHttp for Forward {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora_error::Result<Box<HttpPeer>> {
        Ok(Box::new(self.0.clone()))
    }
}

fn main() {
    let [port, upstream] = std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("a port and an upstream");
    let settings = ServerConf {
        threads: 1,
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(Opt::default(), settings);
    server.bootstrap();
    let forward = Forward(HttpPeer::new(upstream.as_str(), false, String::new()));
    let mut service = http_proxy_service(&server.configuration, forward);
    service.add_tcp(&format!("127.0.0.1:{port}"));
    server.add_service(service);
    server.run_forever();
}
