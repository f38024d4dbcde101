//! The signals that ask the program to end.

use super::console::tell;

/// Completes at the first signal. The second one ends the process.
pub(crate) async fn end_requested() {
    let Some(mut signals) = Signals::listen() else {
        // Without a listener a signal keeps its default effect.
        return std::future::pending().await;
    };
    signals.next().await;
    tokio::spawn(async move {
        signals.next().await;
        tell("\nended at once; the same command resumes from the journal");
        std::process::exit(1);
    });
}

/// SIGINT (Ctrl-C), SIGHUP (terminal closed) and SIGTERM (`kill`, service managers, containers).
#[cfg(unix)]
struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    fn listen() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let wanted = kinds.into_iter().filter(|kind| !is_ignored(*kind));
        let signals: Option<Vec<_>> = wanted.map(|kind| signal(kind).ok()).collect();
        signals.filter(|signals| !signals.is_empty()).map(Self)
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut arrived = self.0.iter_mut().map(|signal| signal.poll_recv(context));
            match arrived.any(|polled| polled.is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }
}

/// Whether the program was started with this signal ignored, as `nohup` does. Without /proc it counts as not ignored.
#[cfg(unix)]
fn is_ignored(kind: tokio::signal::unix::SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Option<Self> {
        Some(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
