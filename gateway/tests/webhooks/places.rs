//! Queues are apart: many that wait hide none that is due, and one that hangs holds up itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::Span;
use domain::limits::{IN_FLIGHT_OF_A_NEW_ONE, QUEUES_MAX};
use gateway::outbound::{Outbound, Policy};
use gateway::schemes::Scheme;
use gateway::workers;
use tokio::sync::{Notify, watch};

use crate::lab::Lab;
use crate::{Line, lab_with, put, put_one, register};

/// More queues than one look takes, each with something that is due later.
async fn crowd(lab: &Lab) {
    let later = lab.clock.now().plus(Span::from_minutes(60));
    let lines = (0..QUEUES_MAX + 50)
        .map(|number| Line::one_off(&format!("host {number:05}"), "A"))
        .collect();
    put(lab, lines, "later", later).await;
}

#[tokio::test]
async fn many_that_wait_hide_none_that_is_due() {
    let (lab, receiver) = lab_with(200).await;
    crowd(&lab).await;
    put_one(&lab, &Line::one_off("the last host", "A"), "now").await;
    assert_eq!(workers::webhooks::tick(&lab.app).await.unwrap(), 1);
    assert!(receiver.take()[0].starts_with("now"));
    let next = workers::next_due(&lab.app, lab.clock.now()).await.unwrap();
    assert_eq!(next, Some(lab.clock.now().plus(Span::from_minutes(60))));
}

/// The same for the worker in the background, which only looks: nothing woke it.
#[tokio::test]
async fn the_background_worker_finds_them_too() {
    let (lab, receiver) = lab_with(200).await;
    crowd(&lab).await;
    put_one(&lab, &Line::one_off("the last host", "A"), "now").await;
    // What woke it is forgotten, as after a restart.
    lab.app.store.wake().take();
    let (stop, stopped) = watch::channel(false);
    let working = tokio::spawn(workers::webhooks::run(Arc::clone(&lab.app), stopped));
    let came = async {
        while receiver.count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(20), came).await;
    stop.send(true).unwrap();
    working.await.unwrap();
    assert_eq!(came, Ok(()));
}

/// Answers at once and counts, or never answers.
async fn serve(count: Arc<AtomicUsize>, more: Arc<Notify>, hangs: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = axum::Router::new().fallback(move || {
        let (count, more) = (Arc::clone(&count), Arc::clone(&more));
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            more.notify_one();
            if hangs {
                std::future::pending::<()>().await;
            }
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

#[tokio::test]
async fn one_that_hangs_holds_up_itself_only() {
    let lab = Lab::over(Outbound::new(Policy::open())).await;
    let more = Arc::new(Notify::new());
    let (good, hanging) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let bad_url = serve(Arc::clone(&hanging), Arc::clone(&more), true).await;
    let bad = register(&lab, Scheme::Standard, &bad_url, &["x"]).await;
    let mut lines: Vec<Line> = (0..300)
        .map(|number| Line::to(&bad, Scheme::Standard, &format!("S{number}")))
        .collect();
    for _ in 0..3 {
        let url = serve(Arc::clone(&good), Arc::clone(&more), false).await;
        let endpoint = register(&lab, Scheme::Standard, &url, &["x"]).await;
        let of = |number| Line::to(&endpoint, Scheme::Standard, &format!("S{number}"));
        lines.extend((0..100).map(of));
    }
    put(&lab, lines, "x", lab.clock.now()).await;
    let (_stop, stopped) = watch::channel(false);
    let working = tokio::spawn(workers::webhooks::run(Arc::clone(&lab.app), stopped));
    let all = async {
        while good.load(Ordering::SeqCst) < 300 {
            more.notified().await;
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(15), all).await;
    // The scheme's own time-out is longer than that: not one of the hanging ones has ended.
    assert_eq!(all, Ok(()), "{} arrived", good.load(Ordering::SeqCst));
    assert!(hanging.load(Ordering::SeqCst) <= IN_FLIGHT_OF_A_NEW_ONE);
    working.abort();
}

/// A task that panics gives back its place, and whoever waits for it does not wait for ever.
#[tokio::test]
async fn a_task_that_panics_is_no_longer_under_way() {
    let begun = Arc::new(Notify::new());
    let ours = Arc::clone(&begun);
    let count = AtomicUsize::new(0);
    let lab = Lab::with(Arc::new(move |_| {
        ours.notify_one();
        // The first ones: as many as a new queue has places.
        let number = count.fetch_add(1, Ordering::SeqCst);
        assert!(number >= IN_FLIGHT_OF_A_NEW_ONE, "on purpose");
        Err("refused".to_owned())
    }))
    .await;
    let (stop, stopped) = watch::channel(false);
    let working = tokio::spawn(workers::webhooks::run(Arc::clone(&lab.app), stopped));
    let within = Duration::from_secs(20);
    for number in 0..=IN_FLIGHT_OF_A_NEW_ONE {
        let line = Line::one_off("a host", &format!("S{number}"));
        put_one(&lab, &line, "x").await;
        let came = tokio::time::timeout(within, begun.notified()).await;
        assert_eq!(came, Ok(()), "number {number} found a place");
        let idle = tokio::time::timeout(within, lab.app.sending.idle()).await;
        assert_eq!(idle, Ok(()));
    }
    stop.send(true).unwrap();
    working.await.unwrap();
}
