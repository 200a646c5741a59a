//! A training step allocates nothing once it has run: all buffers are laid out with the engine.
//!
//! Only the threads of the engine's pool are counted: the test harness has one of its own, which tells of a test that takes
//! long.

#![allow(clippy::unwrap_used)]
// clippy's exception for tests misses their own functions
// The counter is an allocator, and those are unsafe to implement.
#![allow(unsafe_code)]

use pupila_engine::{Engine, Optimizer, OptimizerConfig, Snapshot, StepContext, thread_pool};
use pupila_network::{Init, ModelConfig, Network, Shape, architectures};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The system's allocator, which counts the requests for memory of the threads that have the mark.
struct Counting;

static REQUESTS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Constant and without a destructor, so that it needs no memory itself.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if COUNTED.get() {
        REQUESTS.fetch_add(1, SeqCst);
    }
}

// SAFETY: every call goes to `System` unchanged; counting touches no memory of the allocations.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_step_allocates_nothing() {
    let input = Shape::Map { height: 32, width: 32, channels: 3 };
    for architecture in architectures::REGISTRY {
        let mut config = ModelConfig { name: architecture.name.into(), ..ModelConfig::default() };
        config.batch_norm = architecture.keys.contains(&"batch_norm");
        config.dropout = architecture.keys.contains(&"dropout").then_some(0.2);
        steps_of(&architectures::build(&config, input, 7).unwrap(), input, 16);
    }
    // Of a batch whose gradients have enough zeros to be listed.
    steps_of(&architectures::build(&ModelConfig::default(), input, 7).unwrap(), input, 80);
    assert!(REQUESTS.load(SeqCst) > 0, "the counter counts");
}

fn steps_of(network: &Network, input: Shape, batch: usize) {
    let images = vec![0.25f32; batch * input.len()];
    let targets: Vec<u32> = (0..batch as u32).map(|i| i % 7).collect();
    for threads in [1, 2, 4] {
        let pool = thread_pool(threads).unwrap();
        // Each of them has begun and made what it needs for itself, however late it was given a processor.
        pool.broadcast(|_| COUNTED.set(true));
        let (warm_up, counted) = pool.install(|| {
            let mut engine = Engine::<f32>::new(network, batch, true);
            engine.load(&Init::Pytorch.state(network, 0)).unwrap();
            let mut optimizer = Optimizer::new(&OptimizerConfig::default(), engine.values().len()).unwrap();
            let mut average = Snapshot::default();
            let mut steps = |range: std::ops::Range<u64>| {
                let before = REQUESTS.load(SeqCst);
                for step in range {
                    let context = StepContext { seed: 0, step, label_smoothing: 0.1 };
                    // A last, smaller batch among them.
                    let samples = if step % 2 == 0 { batch } else { 11 };
                    let images = &images[..samples * input.len()];
                    engine.step(images, &targets[..samples], &context, &mut optimizer, 1e-3);
                    engine.forward(images, samples);
                    engine.accumulate(images, &targets[..samples], &context);
                    engine.apply(&mut optimizer, 1e-3, Some(1.0));
                    engine.average_into(&mut average, 0.9);
                }
                REQUESTS.load(SeqCst) - before
            };
            (steps(0..3), steps(3..8))
        });
        println!(
            "{}, {threads} threads: {warm_up} requests in 3 steps, {counted} in the next 5",
            network.architecture
        );
        assert_eq!(counted, 0, "requests for memory in 5 steps on {threads} threads");
    }
}
