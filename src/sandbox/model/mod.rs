//! What the API's models say about requests: the members of each operation's input and their constraints, as tables; one
//! validator for all services, which words what is wrong as each of them does; and the paths of REST operations.
//!
//! Each service has its own table (its `inputs` module). The facts are those of the public API models; where a service is
//! known to demand more, or less, the table says so.
//!
//! Another operation is served once its input stands in its service's table, its handler in the service's `handle`, its name
//! in the tables of `README.md`, and a good request of it among the cases of the walk (`tests/peers/walk`), which then tells
//! what of it isn't as in the model.

mod check;
mod member;
pub mod routes;

pub use check::{check, unreadable, validation};
pub use member::{
    FLAG, Kind, Member, NO_LIMIT, NUMBER, Place, TEXT, matching, optional, pattern, required, spelt, text,
};
