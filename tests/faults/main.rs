//! Every failure at every call: a run that is disturbed converges, or says in one message what is wrong; the next one, undisturbed,
//! converges; and nothing is left over, rotated twice, or said to be done that isn't.
//!
//! A plain `cargo test` tries a sample. All of it:
//!
//! ```sh
//! cargo test --test faults -- --ignored --nocapture whole
//! ```
//!
//! | Variable | |
//! |---|---|
//! | `FAULTS_SEED` | which cases the sample takes |
//! | `FAULTS_ONLY` | the cases whose name contains one of these texts, with a space between them, and no others |
//! | `FAULTS_JOBS` | how many run side by side |
//! | `FAULTS_BINARY` | another build of the program |
//! | `FAULTS_SHOW` | `1`: what each of them printed |

mod aws;
mod faults;
mod matrix;
mod run;
mod scenes;
mod special;
mod way;
