//! What happens in a run.

use crate::{Histogram, PrCurve};
use pupila_image::Image;
use pupila_run::{DataRecord, Group, RunEnd};
use serde_json::{Map, Value};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run begins.
    Start(Box<RunInfo>),
    /// Numbers of an epoch that has ended.
    Scalars {
        /// The epoch, from 1.
        epoch: u32,
        /// Optimizer updates so far.
        step: u64,
        /// Tags such as `train/loss`, and their values; NaN and infinities are passed on as they are.
        values: Vec<(String, f64)>,
    },
    /// Numbers of the steps since the last such event.
    Steps {
        /// The epoch that they are in, from 1.
        epoch: u32,
        /// Optimizer updates so far.
        step: u64,
        /// Tags such as `step/loss`, and their values.
        values: Vec<(String, f64)>,
    },
    /// Numbers of the best epoch, once the run has ended.
    Result {
        /// The epoch, from 1.
        epoch: u32,
        /// Its optimizer updates.
        step: u64,
        /// Tags such as `best/accuracy`, and their values.
        values: Vec<(String, f64)>,
    },
    /// Something that is wrong with the training.
    Finding {
        /// What it is, such as `overfitting`.
        kind: String,
        /// The epoch after which it was seen; 0 before the first one.
        epoch: u32,
        /// Optimizer updates so far.
        step: u64,
        /// What was seen, with numbers.
        message: String,
        /// One thing to try.
        suggestion: String,
    },
    /// How busy the machine is.
    System {
        /// Counts these events from 0.
        sample: u64,
        /// Tags such as `system/cpu_utilization_percentage`, and their values.
        values: Vec<(String, f64)>,
    },
    /// A picture.
    Image {
        /// Its tag, such as `val/confusion_matrix`.
        tag: String,
        /// Optimizer updates so far.
        step: u64,
        /// The picture.
        image: Image,
    },
    /// Text in Markdown.
    Text {
        /// Its tag, such as `recipe`.
        tag: String,
        /// Optimizer updates so far.
        step: u64,
        /// The text.
        markdown: String,
    },
    /// How the values of a tensor are distributed.
    Histogram {
        /// Its tag, such as `parameters/1.weight`.
        tag: String,
        /// Optimizer updates so far.
        step: u64,
        /// The distribution.
        histogram: Histogram,
    },
    /// Precision and recall of a class at every threshold.
    PrCurve {
        /// Its tag, such as `val/pr_curve/melanoma`.
        tag: String,
        /// Optimizer updates so far.
        step: u64,
        /// The curve.
        curve: PrCurve,
    },
    /// The network.
    Graph(Vec<GraphNode>),
    /// Which scalars share a chart.
    Layout(Vec<Chart>),
    /// A file of the run folder that is final and belongs to the result.
    Artifact {
        /// Its path relative to the run folder, `/` between folders.
        path: String,
    },
    /// The run's model file is final.
    Model {
        /// Its path relative to the run folder.
        path: String,
        /// The step that its values are of.
        step: u64,
    },
    /// The run ends.
    End {
        /// How.
        end: RunEnd,
        /// The epoch whose values were kept, from 1; none where no epoch ended.
        best_epoch: Option<u32>,
    },
}

/// What is known of a run when it begins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunInfo {
    /// The run's name.
    pub run: String,
    /// The classes, in the order of the logits.
    pub classes: Vec<String>,
    /// Trained values of the network.
    pub parameters: usize,
    /// Images to train on.
    pub train_images: usize,
    /// Images to validate on.
    pub val_images: usize,
    /// Every key of the recipe that has a value, such as `optimizer.lr`.
    pub recipe: Map<String, Value>,
    /// Those of its keys that have another value than the default, the most telling first.
    pub changed: Vec<String>,
    /// What the run was made from and with, such as `mlflow.source.git.commit`.
    pub tags: Vec<(String, String)>,
    /// The images.
    pub data: DataRecord,
    /// The group of runs that it belongs to; none where it stands alone.
    pub group: Option<Group>,
}

/// An op of a network, as a graph viewer shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GraphNode {
    /// Its name; parts between `/` are groups.
    pub name: String,
    /// What it does, such as `Linear`.
    pub op: String,
    /// Names of the nodes that it reads.
    pub inputs: Vec<String>,
    /// The shape of its output; -1 for the batch.
    pub shape: Vec<i64>,
    /// Anything else worth knowing, by name.
    pub attributes: Vec<(String, String)>,
}

/// A chart of several scalars.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The group that it stands in.
    pub category: String,
    /// Its title.
    pub title: String,
    /// Tags of the scalars.
    pub tags: Vec<String>,
}
