//! A plan: the leaves one run will carry out, in dependency order, frozen.

use crate::base::TaskName;
use crate::definition::{Leaf, Params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What one run will do. It never changes once the run was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The task that was asked for.
    pub task: TaskName,
    /// The hash of that task's definition.
    pub definition: Arc<str>,
    /// The parameters of that task.
    pub params: Params,
    /// The jobs. A node's needs always stand before it, so a plan cannot hold a cycle.
    pub nodes: Vec<Node>,
}

/// One job of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// What it does and allows.
    pub leaf: Arc<Leaf>,
    /// Indexes of the nodes that must be done before it; always smaller than its own.
    pub needs: Vec<u32>,
    /// The parameters it sees: those of the task it belongs to.
    pub params: Arc<Params>,
}
