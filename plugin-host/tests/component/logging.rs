//! What guests print is logged, within limits.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use framex_plugin_host::component::ComponentLimits;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{ROGUE, generous, get, small_host, text};

/// Everything logged by this process, for all tests of it.
#[derive(Clone, Default)]
struct LogCapture(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogCapture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic while logging").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogCapture {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Runs one call of the rogue guest under a name of its own, and returns the lines it logged.
async fn logged_by(name: &str, limits: &ComponentLimits, path: &str) -> Vec<String> {
    static CAPTURE: OnceLock<LogCapture> = OnceLock::new();
    let capture = CAPTURE.get_or_init(|| {
        let capture = LogCapture::default();
        tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(capture.clone()).init();
        capture
    });
    {
        let host = small_host();
        let rogue = host.load(name, ROGUE, limits).expect("it loads");
        text(get(&rogue, path).await.expect("a response")).await;
        crate::harness::eventually("the guest is gone", || rogue.stats().in_flight == 0).await;
    }
    let log = capture.0.lock().expect("no panic while logging").clone();
    let mark = format!("plugin={name} ");
    String::from_utf8(log)
        .expect("a text")
        .lines()
        .filter(|line| line.contains(&mark) || line.ends_with(mark.trim_end()))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn lines_of_a_guest_are_logged_under_its_name() {
    let lines = logged_by("talker", &generous(), "/log?lines=2&length=3").await;
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines[0].contains("line 0 ...") && lines[0].contains("plugin: "), "{}", lines[0]);
    assert!(lines[0].contains(r#"stream="stdout""#), "{}", lines[0]);
    assert!(lines[1].contains("line 1 ..."), "{}", lines[1]);
    assert!(lines[2].contains("unfinished"), "an open line is not lost: {}", lines[2]);
    assert!(lines[2].contains(r#"stream="stderr""#), "{}", lines[2]);
}

#[tokio::test]
async fn a_line_that_is_too_long_is_cut() {
    let lines = logged_by("rambler", &generous(), "/log?lines=1&length=10000").await;
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let dots = lines[0].matches('.').count();
    assert!((4000..=4096).contains(&dots), "{dots}");
}

#[tokio::test]
async fn a_guest_that_prints_too_much_is_silenced_with_one_notice() {
    let limits = ComponentLimits { log: 1000, ..generous() };
    let lines = logged_by("shouter", &limits, "/log?lines=500&length=100").await;
    let notices = lines.iter().filter(|line| line.contains("further output"));
    assert_eq!(notices.count(), 1, "{lines:#?}");
    let printed: usize = lines.iter().map(|line| line.matches('.').count()).sum();
    assert!(printed <= 1000, "{printed}");
    assert!(printed >= 800, "{printed}");
}
