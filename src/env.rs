//! Every environment variable that is read, documented.
