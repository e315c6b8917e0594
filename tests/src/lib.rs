//! What the black-box tests are made of: the real program in a process of its own, backends that behave as told, real
//! FrameX and FastAPI services, and clients that can send what no proper client would.
//!
//! Promises: every wait has an end ([`within`], [`eventually`]), every port is chosen by the system, and whatever a test
//! starts ends with it. The program is the one in the target directory of the test that runs; `make test` builds both,
//! and so does `cargo nextest run --workspace`.

mod browser;
mod certificates;
mod client;
mod configuration;
mod framex_gateway;
mod load;
mod name_server;
mod output;
mod raw;
mod real;
mod redis;
mod tap;
mod token;
mod upstream;
mod waiting;
mod wire;

pub use browser::Browser;
pub use certificates::Authority;
pub use client::{Answer, Call, Connection, Protocol, Streamed};
pub use configuration::{Conf, one_route, repository};
pub use framex_gateway::{Finished, Gateway, command_line, program};
pub use load::{Load, Loaded};
pub use name_server::NameServer;
pub use raw::{Raw, RawAnswer};
pub use real::{Awkward, Counted, Demonstration, Everything, FRAMEX_KEY, FrameX, FrameXInstance, Shop, installed};
pub use redis::Redis;
pub use tap::{Side, Tap};
pub use token::{Token, sign};
pub use upstream::{Exchange, Upstream, refused_address};
pub use waiting::{PATIENCE, eventually, within};
pub use wire::Head;
