//! What a future may ask of the poll it runs in: to block.
//!
//! [`blocking`] runs a closure that may wait (a cold `open`, a name lookup) in place when the MPM
//! polls the connection on a thread that may block. Elsewhere it stores its waker and the poll ends
//! with NEEDS_BLOCKING; the MPM then polls again with MAY_BLOCK on another thread. So handlers are
//! written once, for every MPM.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

thread_local! {
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
    static WAITING: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// A poll of a connection on this thread; ends when dropped.
#[derive(Debug)]
pub struct Scope {
    outer: bool,
}

impl Scope {
    /// Begins a poll. `may_block`: this thread may wait.
    pub fn enter(may_block: bool) -> Self {
        Self { outer: MAY_BLOCK.replace(may_block) }
    }

    /// Wakers of futures that want to block and were not allowed to. Waking them at the beginning of
    /// a poll that may block makes them run, wherever they sit in a tree of futures.
    pub fn take_waiting(&self) -> Vec<Waker> {
        WAITING.take()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        MAY_BLOCK.set(self.outer);
    }
}

/// Whether the current poll may wait.
pub fn may_block() -> bool {
    MAY_BLOCK.get()
}

/// Runs `work`, which may wait, as soon as the current poll may.
pub fn blocking<T, F: FnOnce() -> T>(work: F) -> Blocking<F> {
    Blocking { work: Some(work) }
}

/// Future of [`blocking`].
pub struct Blocking<F> {
    work: Option<F>,
}

impl<F> std::fmt::Debug for Blocking<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocking").field("done", &self.work.is_none()).finish()
    }
}

// The closure is never pinned.
impl<F> Unpin for Blocking<F> {}

impl<T, F: FnOnce() -> T> Future for Blocking<F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if may_block()
            && let Some(work) = self.work.take()
        {
            return Poll::Ready(work());
        }
        WAITING.with_borrow_mut(|waiting| waiting.push(cx.waker().clone()));
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Count(AtomicU32);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn waits_for_a_poll_that_may_block() {
        let count = Arc::new(Count(AtomicU32::new(0)));
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut work = std::pin::pin!(async { blocking(|| 1).await + blocking(|| 2).await });

        let scope = Scope::enter(false);
        assert!(work.as_mut().poll(&mut cx).is_pending());
        let waiting = scope.take_waiting();
        drop(scope);
        assert_eq!(waiting.len(), 1);

        let scope = Scope::enter(true);
        waiting.into_iter().for_each(Waker::wake);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(work.as_mut().poll(&mut cx), Poll::Ready(3));
        assert!(scope.take_waiting().is_empty());
    }

    #[test]
    fn scopes_nest() {
        let outer = Scope::enter(true);
        drop(Scope::enter(false));
        assert!(may_block());
        drop(outer);
        assert!(!may_block());
    }
}
