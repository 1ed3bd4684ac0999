//! Environment variables that make a function run other code than its package's: what loads it, what is loaded before it, where
//! its libraries come from, and which function is called in the place of its handler.
//!
//! The list is of names, by runtime; whose meaning is the same whatever their value. A variable that isn't here may still be read by
//! a function's own code, which is that code's matter.

/// Variables by their whole names.
pub const NAMES: [&str; 59] = [
    // Lambda and the shell.
    "AWS_LAMBDA_EXEC_WRAPPER",
    "BASH_ENV",
    "ENV",
    // Python's user site-packages, Node's `.node_modules`, shells' and the SDKs' own files lie below it.
    "HOME",
    "PATH",
    "PROMPT_COMMAND",
    "PS4",
    "SHELLOPTS",
    // What the SDKs run to get credentials stands in these files.
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    // Libraries that C libraries load.
    "GCONV_PATH",
    "GETCONF_DIR",
    "GSS_MECH_CONFIG",
    "KRB5_CONFIG",
    // GStreamer looks for plugins below it, ImageMagick for modules and for the programs that it calls.
    "XDG_DATA_HOME",
    "MAGICK_CODER_MODULE_PATH",
    "MAGICK_CONFIGURE_PATH",
    "MAGICK_HOME",
    "LIBMYSQL_PLUGINS",
    "LIBMYSQL_PLUGIN_DIR",
    "MARIADB_PLUGIN_DIR",
    "ODBCINI",
    "ODBCINSTINI",
    "ODBCSYSINI",
    "ORACLE_HOME",
    "SASL_CONF_PATH",
    "SASL_PATH",
    // Node.js and Bun.
    "BUN_INSPECT_PRELOAD",
    "BUN_OPTIONS",
    "NODE_COMPILE_CACHE",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_REPL_EXTERNAL_MODULE",
    // Java.
    "CLASSPATH",
    "IBM_JAVA_OPTIONS",
    "JAVA_HOME",
    "JAVA_OPTIONS",
    "JAVA_OPTS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "JRE_HOME",
    "_JAVA_OPTIONS",
    "OPENJ9_JAVA_OPTIONS",
    // .NET.
    "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES",
    // What custom runtimes bring along.
    "GUILE_EXTENSIONS_PATH",
    "GUILE_LOAD_COMPILED_PATH",
    "GUILE_LOAD_PATH",
    "JULIA_DEPOT_PATH",
    "JULIA_LOAD_PATH",
    "MONO_PATH",
    "ERL_AFLAGS",
    "ERL_FLAGS",
    "ERL_LIBS",
    "ERL_ZFLAGS",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "R_HOME",
    "R_PROFILE",
    "TCLLIBPATH",
];

/// Variables by how their names begin.
pub const PREFIXES: [&str; 16] = [
    // The dynamic loader.
    "LD_",
    "GST_PLUGIN_",
    // Configuration files, engines and modules.
    "OPENSSL_",
    "PYTHON",
    "BASH_FUNC_",
    "BUNDLE_",
    "GEM_",
    "RUBY",
    "PERL",
    "LUA_",
    "R_LIBS",
    "R_ENVIRON",
    // .NET.
    "COMPlus_",
    "CORECLR_",
    "COR_",
    "DOTNET_",
];

/// What is in the names of variables by which wrappers are told the handler that they call in the end: `DD_LAMBDA_HANDLER`,
/// `NEW_RELIC_LAMBDA_HANDLER`, `ORIG_HANDLER`, `HANDLER_ENV_NAME_FOR_CODEGURU`.
pub const PART: &str = "HANDLER";

/// Variables that begin like one of these and load nothing.
pub const HARMLESS: [&str; 11] = [
    "LD_BIND_NOW",
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONFAULTHANDLER",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "PYTHONMALLOC",
    "PYTHONTRACEMALLOC",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
];

/// Whether another value of a variable makes a function run other code.
pub fn loads_code(variable: &str) -> bool {
    !HARMLESS.contains(&variable)
        && (NAMES.contains(&variable)
            || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
            || variable.contains(PART))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a policy that forbids other code would let it in by a variable.
    #[test]
    fn variables_that_load_code_are_known() {
        for name in [
            "AWS_LAMBDA_EXEC_WRAPPER",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "PYTHONHOME",
            "PYTHONWARNINGS",
            "NODE_OPTIONS",
            "NODE_PATH",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "LD_AUDIT",
            "JAVA_TOOL_OPTIONS",
            "RUBYOPT",
            "RUBYLIB",
            "GEM_PATH",
            "BASH_ENV",
            "PERL5OPT",
            "DOTNET_STARTUP_HOOKS",
            "CORECLR_PROFILER_PATH",
            "OPENSSL_CONF",
            "PATH",
            "HOME",
            "_JAVA_OPTIONS",
            "MONO_PATH",
            "JULIA_LOAD_PATH",
            "GUILE_LOAD_PATH",
            "MAGICK_CODER_MODULE_PATH",
            "GST_PLUGIN_PATH_1_0",
            "XDG_DATA_HOME",
            "DD_LAMBDA_HANDLER",
        ] {
            assert!(loads_code(name), "{name}");
        }
    }

    /// Without it, an author of policies couldn't know what a rule holds for.
    #[test]
    fn the_documentation_names_them_all() {
        let text = include_str!("../../schema/README.md");
        for name in NAMES.iter().chain(&PREFIXES).chain(&HARMLESS).chain([&PART]) {
            assert!(text.contains(&format!("`{name}`")), "{name}");
        }
    }

    /// Without it, ordinary settings would be refused as other code, and the rule be taken out of the policy for that.
    #[test]
    fn ordinary_variables_load_nothing() {
        for name in [
            "URL",
            "API_URL",
            "EXCLUDE_CHARACTERS",
            "SECRETS_MANAGER_ENDPOINT",
            "PYTHONUNBUFFERED",
            "PYTHONFAULTHANDLER",
            "NODE_ENV",
            "NODE_EXTRA_CA_CERTS",
            "TZ",
            "LANG",
            "LOG_LEVEL",
            "POWERTOOLS_SERVICE_NAME",
            "MY_PATH",
            "HOMEPAGE",
            "APP_HOME",
            "MAGICK_MEMORY_LIMIT",
            "GST_DEBUG",
            "JULIA_NUM_THREADS",
            "SEARCH_PATH",
            "pythonpath",
        ] {
            assert!(!loads_code(name), "{name}");
        }
    }
}
