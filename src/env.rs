//! Every environment variable that is read, documented.
//!
//! Names only: who reads a variable says how. `AWS_*` variables that aren't named here are the SDK's own and work as in
//! AWS's CLI where the SDK knows them.

/// The region, where neither the target nor `--region` states one. Wins over [`AWS_DEFAULT_REGION`] and the profile.
pub const AWS_REGION: &str = "AWS_REGION";

/// The region, as AWS's CLI has it; read after [`AWS_REGION`].
pub const AWS_DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";

/// The profile of the shared configuration files; `--profile` wins. Read by the SDK.
pub const AWS_PROFILE: &str = "AWS_PROFILE";

/// Where the shared configuration file lies, by default `~/.aws/config`. Read by the SDK.
pub const AWS_CONFIG_FILE: &str = "AWS_CONFIG_FILE";

/// Where the shared credentials file lies, by default `~/.aws/credentials`. Read by the SDK.
pub const AWS_SHARED_CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";

/// Credentials: the access key id. Not read where `--profile` is given. Read by the SDK.
pub const AWS_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";

/// Credentials: the secret key. Read by the SDK.
pub const AWS_SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";

/// Credentials: the session token of temporary ones. Read by the SDK.
pub const AWS_SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// A file with a pipeline's OIDC token, exchanged for the role in [`AWS_ROLE_ARN`]. Read by the SDK.
pub const AWS_WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// The role that a web identity token is exchanged for. Read by the SDK.
pub const AWS_ROLE_ARN: &str = "AWS_ROLE_ARN";

/// The name of a role's session: of that role (read by the SDK), and of a target's role where the target states none.
pub const AWS_ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";

/// Where a container's credentials come from, relative to its host's address. Read by the SDK.
pub const AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";

/// Where a container's credentials come from, in full. Read by the SDK.
pub const AWS_CONTAINER_CREDENTIALS_FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// Where an instance's credentials come from, instead of the usual address. Read by the SDK.
pub const AWS_EC2_METADATA_SERVICE_ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// `true`: don't ask an EC2 instance for its role's credentials. Read by the SDK.
pub const AWS_EC2_METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

/// Another endpoint for every service; `--endpoint-url` wins, and a service's own
/// (`AWS_ENDPOINT_URL_SECRETS_MANAGER`, `AWS_ENDPOINT_URL_LAMBDA`, …) wins over this one. Read by the SDK.
pub const AWS_ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";

/// `true`: endpoints of the environment and of profiles are ignored. Read by the SDK.
pub const AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// `true`: FIPS endpoints. Read by the SDK.
pub const AWS_USE_FIPS_ENDPOINT: &str = "AWS_USE_FIPS_ENDPOINT";

/// `true`: dual-stack endpoints. Read by the SDK.
pub const AWS_USE_DUALSTACK_ENDPOINT: &str = "AWS_USE_DUALSTACK_ENDPOINT";

/// How often one call is tried, 1 to 50; by default 8. Retries are always adaptive.
pub const AWS_MAX_ATTEMPTS: &str = "AWS_MAX_ATTEMPTS";

/// A PEM file of certificate authorities to trust instead of the system's. Wins over a profile's `ca_bundle`.
pub const AWS_CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// The proxy for `https://` addresses; never used for the sandbox. Read by the HTTP client, in lower case too.
pub const HTTPS_PROXY: &str = "HTTPS_PROXY";

/// The proxy for `http://` addresses; never used for the sandbox. Read by the HTTP client, in lower case too.
pub const HTTP_PROXY: &str = "HTTP_PROXY";

/// The proxy for all addresses; never used for the sandbox. Read by the HTTP client, in lower case too.
pub const ALL_PROXY: &str = "ALL_PROXY";

/// Hosts that are reached without a proxy. Read by the HTTP client, in lower case too.
pub const NO_PROXY: &str = "NO_PROXY";

/// Set to anything but nothing: no colours; `--color` wins. Read by `anstream`.
pub const NO_COLOR: &str = "NO_COLOR";

/// `0`: no colours where none are asked for. Read by `anstream`.
pub const CLICOLOR: &str = "CLICOLOR";

/// Set to anything but `0`: colours without a terminal too; [`NO_COLOR`] wins. Read by `anstream`.
pub const CLICOLOR_FORCE: &str = "CLICOLOR_FORCE";

/// `dumb`: a terminal without colours. Read by `anstream`.
pub const TERM: &str = "TERM";

/// Where the sandbox looks for `python3` and `node`, and what the functions that it runs see.
pub const PATH: &str = "PATH";

/// Where the sandbox keeps the runtimes that it prepared, in `rotator`; an absolute path, else `~/.cache`.
pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";

/// The user's folder: for [`XDG_CACHE_HOME`]'s default, and for the shared configuration files.
pub const HOME: &str = "HOME";

/// A file that takes the place of the built-in table of Lambda's runtimes, `src/config/lambda-runtimes.json`, whose form it has: for
/// runtimes and dates that AWS published since the release.
pub const ROTATOR_LAMBDA_RUNTIMES: &str = "ROTATOR_LAMBDA_RUNTIMES";

/// Stands for `--target`, one of it.
pub const ROTATOR_TARGET: &str = "ROTATOR_TARGET";

/// Stands for `--policy`, one of it.
pub const ROTATOR_POLICY: &str = "ROTATOR_POLICY";

/// Stands for `--parallelism`.
pub const ROTATOR_PARALLELISM: &str = "ROTATOR_PARALLELISM";

/// Stands for `--max-rotations` of `apply`.
pub const ROTATOR_MAX_ROTATIONS: &str = "ROTATOR_MAX_ROTATIONS";

/// Stands for `--rotation-timeout` of `apply`.
pub const ROTATOR_ROTATION_TIMEOUT: &str = "ROTATOR_ROTATION_TIMEOUT";

/// Stands for `--require-verified` of `apply`, unless it says `false`, `no`, `off` or `0`.
pub const ROTATOR_REQUIRE_VERIFIED: &str = "ROTATOR_REQUIRE_VERIFIED";

/// The index of Python packages, by the address of its simple API, for the requirements of functions' code; an address may hold a login.
pub const ROTATOR_PYTHON_INDEX: &str = "ROTATOR_PYTHON_INDEX";

/// The same, as uv has it; read where [`ROTATOR_PYTHON_INDEX`] isn't set.
pub const UV_DEFAULT_INDEX: &str = "UV_DEFAULT_INDEX";

/// The same, as pip has it; read where the two before aren't set. Without any, pip's own configuration of the user or the machine counts.
pub const PIP_INDEX_URL: &str = "PIP_INDEX_URL";

/// A file of pip's configuration, which wins over the user's and the machine's.
pub const PIP_CONFIG_FILE: &str = "PIP_CONFIG_FILE";

/// Where a user's configuration lies, by default `~/.config`; for pip's.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";

/// Certificate authorities instead of the system's, as OpenSSL has them: a file. Read by the TLS library.
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// The same: folders. Read by the TLS library.
pub const SSL_CERT_DIR: &str = "SSL_CERT_DIR";

/// A variable's value; `None` where it is unset, empty, or not UTF-8.
pub fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Set by GitHub's runner, which obeys some of the lines that a job prints: none of those is left in what is printed.
pub const GITHUB_ACTIONS: &str = "GITHUB_ACTIONS";

/// Set by Azure's agent, likewise.
pub const TF_BUILD: &str = "TF_BUILD";

/// Set by `TeamCity`'s agent, likewise.
pub const TEAMCITY_VERSION: &str = "TEAMCITY_VERSION";

/// Set by continuous integration: progress is then printed as plain lines, even on something that looks like a terminal.
pub const CI: &str = "CI";
