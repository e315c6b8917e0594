//! Supervises worker processes: the plugins that are programs of their own, such as native Python.
//!
//! A [`WorkerSet`] keeps a number of replicas of one command running. Each gets a Unix socket or a loopback port to listen on,
//! is asked whether it is ready before it gets requests, is started again when it ends, later and later while it keeps failing,
//! and is ended with its whole process group. This crate promises that no replica outlives the set or this process, and that
//! a worker, whatever it does, cannot hold up whoever asks. What a replica has started may outlive them in two ways: when this
//! process is killed, which reaches the replica alone, and when it has left the process group and there is no control group. It
//! speaks no HTTP beyond the question for readiness, and leaves requests, routes and identities to its user.

mod backoff;
mod confinement;
mod output;
mod process;
mod readiness;
mod replica;
mod spec;
mod worker_set;

pub use replica::ReplicaState;
pub use spec::{Listen, Ready, SpecError, WorkerAddress, WorkerLimits, WorkerSpec};
pub use worker_set::{StartError, Trial, WorkerSet};
