//! A real name server (dnsmasq) on this machine, whose answers a test chooses.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A name server. Dropping it ends it.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl NameServer {
    /// Starts one with these lines of `/etc/hosts`, which it answers with a time to live of one second, and these SRV records, as
    /// `name,target,port,priority,weight`.
    ///
    /// # Panics
    /// When dnsmasq is not installed or does not start.
    pub async fn start(hosts: &str, services: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        std::fs::write(folder.path().join("hosts"), hosts).expect("a test folder can be written");
        for _ in 0..10 {
            // Only a client can say which port is free, and it must let go of it first; so somebody else may be faster.
            let probe = UdpSocket::bind("127.0.0.1:0").expect("the loopback interface has free ports");
            let address = probe.local_addr().expect("a bound socket has an address");
            if TcpListener::bind(address).is_err() {
                continue;
            }
            drop(probe);
            let mut child = serve(address, folder.path(), services);
            if answers(address, &mut child).await {
                return Self { address, folder, child };
            }
        }
        panic!("dnsmasq does not start");
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers with these from now on. The next question comes when the last answer's time to live is over.
    ///
    /// # Panics
    /// When it has ended.
    pub async fn change(&mut self, hosts: &str, services: &[&str]) {
        std::fs::write(self.folder.path().join("hosts"), hosts).expect("a test folder can be written");
        self.stop().await;
        for _ in 0..20 {
            self.child = serve(self.address, self.folder.path(), services);
            if answers(self.address, &mut self.child).await {
                return;
            }
        }
        panic!("dnsmasq does not start again at {}", self.address);
    }

    /// Ends it: nobody answers any more.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub async fn stop(&mut self) {
        self.child.kill().await.expect("a child can be ended");
    }
}

/// Waits until it answers; not when it has ended.
async fn answers(address: SocketAddr, child: &mut Child) -> bool {
    // A question for the address of `a`.
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("the loopback interface has free ports");
    for _ in 0..200 {
        if child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return false;
        }
        // Refused until it listens.
        let _ = socket.send_to(question, address).await;
        let mut answer = [0; 512];
        let heard = tokio::time::timeout(Duration::from_millis(50), socket.recv_from(&mut answer)).await;
        if heard.is_ok_and(|heard| heard.is_ok()) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

fn serve(address: SocketAddr, folder: &Path, services: &[&str]) -> Child {
    let mut command = Command::new("dnsmasq");
    command
        .args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--local-ttl=1"])
        .args(["--bind-interfaces", "--listen-address=127.0.0.1", "--pid-file=", "--user=", "--local=/test/"])
        .arg(format!("--port={}", address.port()))
        .arg(format!("--addn-hosts={}", folder.join("hosts").display()))
        .args(services.iter().map(|service| format!("--srv-host={service}")))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command.spawn().expect("dnsmasq is installed; run `make dns`")
}
