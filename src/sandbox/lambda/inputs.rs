//! The operations that are served, and what their requests may hold, as in the API's model.
//!
//! `Runtime` is any text here: the service checks it later, in words of its own.

use crate::model::Kind::{self, Blob, Decimal, List, Map, Number, OneOf, Secret, Structure};
use crate::model::{FLAG, Member, NO_LIMIT, NUMBER, TEXT, matching, optional, pattern, required, text};

const ANY_FUNCTION_NAME: Kind = matching(
    1,
    256,
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
);
const ARN: Kind = matching(
    0,
    10_000,
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)",
);
const QUALIFIER: Kind = matching(1, 128, r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+");
const FUNCTION_NAME: Kind = matching(
    1,
    140,
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
);
const ROLE_ARN: Kind = matching(0, 10_000, r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+");
const HANDLER: Kind = matching(0, 128, r"[^\s]+");
const ZIP: Kind = Secret(&Blob(0, NO_LIMIT));
const S3_BUCKET: Kind = matching(3, 63, r"[0-9A-Za-z\.\-_]*(?<!\.)");
const S3_KEY: Kind = matching(1, 1024, ".*");
const S3_OBJECT_VERSION: Kind = matching(1, 1024, ".*");
const S3_OBJECT_STORAGE_MODE: Kind = OneOf(&["COPY", "REFERENCE"]);
const KMS_KEY_ARN: Kind = matching(0, 10_000, "(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()");
const DESCRIPTION: Kind = text(0, 256);
const ALIAS: Kind = matching(1, 128, "(?!^[0-9]+$)([a-zA-Z0-9-_]+)");
const ALIAS_VERSION: Kind = matching(1, 1024, r"(\$LATEST(\.PUBLISHED)?|[0-9]+)");
const ROUTING: Member = optional(
    "RoutingConfig",
    Structure(&[optional("AdditionalVersionWeights", Map(0, NO_LIMIT, &matching(1, 1024, "[0-9]+"), &Decimal))]),
);
const TIMEOUT: Kind = Number(1, 5400);
const MEMORY_SIZE: Kind = Number(128, 32_768);
const FUNCTION_VERSION_LATEST_PUBLISHED: Kind = OneOf(&["LATEST_PUBLISHED"]);
const VPC_CONFIG: Kind = Structure(&[
    optional("SubnetIds", List(0, 16, &matching(0, 1024, "subnet-[0-9a-z]*"))),
    optional("SecurityGroupIds", List(0, 5, &matching(0, 1024, "sg-[0-9a-zA-Z]*"))),
    optional("Ipv6AllowedForDualStack", FLAG),
]);
const DEAD_LETTER_CONFIG: Kind =
    Structure(&[optional("TargetArn", matching(0, 10_000, "(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"))]);
const ENVIRONMENT: Kind =
    Structure(&[optional("Variables", Secret(&Map(0, NO_LIMIT, &pattern("[a-zA-Z]([a-zA-Z0-9_])+"), &TEXT)))]);
const TRACING_CONFIG: Kind = Structure(&[optional("Mode", OneOf(&["Active", "PassThrough"]))]);
const TAG_KEY: Kind = matching(1, 128, r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)");
const TAGS: Kind = Map(0, NO_LIMIT, &TAG_KEY, &matching(0, 256, r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"));
const LAYER_VERSION_ARN: Kind = matching(
    1,
    2048,
    r"((arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+))",
);
const LAYERS: Kind = List(0, NO_LIMIT, &LAYER_VERSION_ARN);
const FILE_SYSTEM_ARN: Kind = matching(
    0,
    256,
    r"arn:aws[a-zA-Z-]*:elasticfilesystem:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:access-point/fsap-[a-f0-9]{17}$|^arn:aws[-a-z]*:s3files:[0-9a-z-:]+:file-system/fs-[0-9a-f]{17,40}/access-point/fsap-[0-9a-f]{17,40}",
);
const FILE_SYSTEMS: Kind = List(
    0,
    1,
    &Structure(&[
        required("Arn", FILE_SYSTEM_ARN),
        required("LocalMountPath", matching(0, 160, "/mnt/[a-zA-Z0-9-_.]+")),
        optional("S3FilesConfig", Structure(&[optional("DirectS3Read", OneOf(&["ENABLED", "DISABLED", "AUTO"]))])),
    ]),
);
const CODE_SIGNING_CONFIG_ARN: Kind = matching(
    0,
    200,
    r"arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:code-signing-config:csc-[a-z0-9]{17}",
);
const STRING_LIST: Kind = List(0, 1500, &TEXT);
const IMAGE_CONFIG: Kind = Structure(&[
    optional("EntryPoint", STRING_LIST),
    optional("Command", STRING_LIST),
    optional("WorkingDirectory", text(0, 1000)),
]);
const ARCHITECTURES: Kind = List(1, 1, &OneOf(&["x86_64", "arm64"]));
const EPHEMERAL_STORAGE: Kind = Structure(&[required("Size", Number(512, 32_768))]);
const SNAP_START: Kind = Structure(&[optional("ApplyOn", OneOf(&["PublishedVersions", "None"]))]);
const LOGGING_CONFIG: Kind = Structure(&[
    optional("LogFormat", OneOf(&["JSON", "Text"])),
    optional("ApplicationLogLevel", OneOf(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"])),
    optional("SystemLogLevel", OneOf(&["DEBUG", "INFO", "WARN"])),
    optional("LogGroup", matching(1, 512, r"[\.\-_/#A-Za-z0-9]+")),
]);
const CAPACITY_PROVIDER_ARN: Kind = matching(
    1,
    140,
    r"arn:aws[a-zA-Z-]*:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:capacity-provider:[a-zA-Z0-9-_]+",
);
const CAPACITY_PROVIDER_CONFIG: Kind = Structure(&[required(
    "LambdaManagedInstancesCapacityProviderConfig",
    Structure(&[
        required("CapacityProviderArn", CAPACITY_PROVIDER_ARN),
        optional("PerExecutionEnvironmentMaxConcurrency", Number(1, 1600)),
        optional("ExecutionEnvironmentMemoryGiBPerVCpu", Decimal),
    ]),
)]);
const DURABLE_CONFIG: Kind = Structure(&[
    optional("KMSKeyArn", KMS_KEY_ARN),
    optional("RetentionPeriodInDays", Number(1, 90)),
    optional("ExecutionTimeout", Number(1, 31_622_400)),
]);
const FUNCTION_RUNTIME_CONFIG: Kind = Structure(&[
    required("RuntimeArn", matching(48, 2048, r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:runtime/.+")),
    required("RuntimeAlias", text(1, 128)),
]);
const ACCELERATOR_CONFIG: Kind = Structure(&[required("AcceleratorMemorySize", NUMBER)]);
const UNQUALIFIED_FUNCTION_NAME: Kind = matching(
    1,
    140,
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)",
);
const FUNCTION_URL_FUNCTION_NAME: Kind = matching(
    1,
    140,
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?",
);
const MAX_LIST_ITEMS: Kind = Number(1, 10_000);
const TAGGABLE_RESOURCE: Kind = matching(
    1,
    10_000,
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|(capacity-provider|network-connector):[a-zA-Z0-9-_]{1,64})",
);
const QUALIFIED: &[Member] =
    &[required("FunctionName", ANY_FUNCTION_NAME).label(), optional("Qualifier", QUALIFIER).query()];
const UNQUALIFIED: &[Member] = &[required("FunctionName", FUNCTION_NAME).label()];

/// What the request of each operation that is served may hold.
pub const INPUTS: &[(&str, &[Member])] = &[
    (
        "AddPermission",
        &[
            required("FunctionName", ANY_FUNCTION_NAME).label(),
            required("StatementId", matching(1, 100, "([a-zA-Z0-9-_]+)")),
            required("Action", matching(0, 10_000, "(lambda:[*]|lambda:[a-zA-Z]+|[*])")),
            required("Principal", matching(0, 2048, r"[^\s]+")),
            optional("SourceArn", ARN),
            optional("FunctionUrlAuthType", OneOf(&["NONE", "AWS_IAM"])),
            optional("InvokedViaFunctionUrl", FLAG),
            optional("SourceAccount", matching(0, 12, r"\d{12}")),
            optional("EventSourceToken", matching(0, 256, r"[a-zA-Z0-9._\-]+")),
            optional("Qualifier", QUALIFIER).query(),
            optional("RevisionId", TEXT),
            optional("PrincipalOrgID", matching(12, 34, "o-[a-z0-9]{10,32}")),
        ],
    ),
    (
        "CreateAlias",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            required("Name", ALIAS),
            required("FunctionVersion", ALIAS_VERSION),
            optional("Description", DESCRIPTION),
            ROUTING,
        ],
    ),
    (
        "CreateFunction",
        &[
            required("FunctionName", FUNCTION_NAME),
            optional("Runtime", TEXT),
            required("Role", ROLE_ARN),
            optional("Handler", HANDLER),
            required(
                "Code",
                Structure(&[
                    optional("ZipFile", ZIP),
                    optional("S3Bucket", S3_BUCKET),
                    optional("S3Key", S3_KEY),
                    optional("S3ObjectVersion", S3_OBJECT_VERSION),
                    optional("S3ObjectStorageMode", S3_OBJECT_STORAGE_MODE),
                    optional("ImageUri", TEXT),
                    optional("SourceKMSKeyArn", KMS_KEY_ARN),
                ]),
            ),
            optional("Description", DESCRIPTION),
            optional("Timeout", TIMEOUT),
            optional("MemorySize", MEMORY_SIZE),
            optional("Publish", FLAG),
            optional("PublishTo", FUNCTION_VERSION_LATEST_PUBLISHED),
            optional("VpcConfig", VPC_CONFIG),
            optional("PackageType", OneOf(&["Zip", "Image"])),
            optional("DeadLetterConfig", DEAD_LETTER_CONFIG),
            optional("Environment", ENVIRONMENT),
            optional("KMSKeyArn", KMS_KEY_ARN),
            optional("TracingConfig", TRACING_CONFIG),
            optional("Tags", TAGS),
            optional("Layers", LAYERS),
            optional("FileSystemConfigs", FILE_SYSTEMS),
            optional("CodeSigningConfigArn", CODE_SIGNING_CONFIG_ARN),
            optional("ImageConfig", IMAGE_CONFIG),
            optional("Architectures", ARCHITECTURES),
            optional("EphemeralStorage", EPHEMERAL_STORAGE),
            optional("SnapStart", SNAP_START),
            optional("LoggingConfig", LOGGING_CONFIG),
            optional("TenancyConfig", Structure(&[required("TenantIsolationMode", OneOf(&["PER_TENANT"]))])),
            optional("CapacityProviderConfig", CAPACITY_PROVIDER_CONFIG),
            optional("DurableConfig", DURABLE_CONFIG),
            optional("RuntimeConfig", FUNCTION_RUNTIME_CONFIG),
            optional("AcceleratorConfig", ACCELERATOR_CONFIG),
        ],
    ),
    ("DeleteAlias", &[required("FunctionName", FUNCTION_NAME).label(), required("Name", ALIAS).label()]),
    ("DeleteFunction", QUALIFIED),
    ("DeleteFunctionConcurrency", UNQUALIFIED),
    ("GetAccountSettings", &[]),
    ("GetAlias", &[required("FunctionName", FUNCTION_NAME).label(), required("Name", ALIAS).label()]),
    ("GetFunction", QUALIFIED),
    ("GetFunctionCodeSigningConfig", &[required("FunctionName", ANY_FUNCTION_NAME).label()]),
    ("GetFunctionConcurrency", UNQUALIFIED),
    ("GetFunctionConfiguration", QUALIFIED),
    ("GetFunctionEventInvokeConfig", QUALIFIED),
    ("GetFunctionRecursionConfig", &[required("FunctionName", UNQUALIFIED_FUNCTION_NAME).label()]),
    (
        "GetFunctionUrlConfig",
        &[
            required("FunctionName", FUNCTION_URL_FUNCTION_NAME).label(),
            optional("Qualifier", matching(1, 128, r"((?!^\d+$)^[0-9a-zA-Z-_]+$)")).query(),
        ],
    ),
    ("GetPolicy", QUALIFIED),
    (
        "GetProvisionedConcurrencyConfig",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            required("Qualifier", matching(1, 128, "(|[a-zA-Z0-9$_-]+)")).query(),
        ],
    ),
    ("GetRuntimeManagementConfig", QUALIFIED),
    (
        "Invoke",
        &[
            required("FunctionName", ANY_FUNCTION_NAME).label(),
            optional("InvocationType", OneOf(&["Event", "RequestResponse", "DryRun"])).header("x-amz-invocation-type"),
            optional("LogType", OneOf(&["None", "Tail"])).header("x-amz-log-type"),
            optional("ClientContext", TEXT).header("x-amz-client-context"),
            optional("DurableExecutionName", matching(1, 64, "[a-zA-Z0-9-_]+")).header("x-amz-durable-execution-name"),
            optional("Qualifier", QUALIFIER).query(),
            optional("TenantId", matching(1, 256, r"[a-zA-Z0-9\._:\/=+\-@ ]+")).header("x-amz-tenant-id"),
        ],
    ),
    (
        "ListAliases",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            optional("FunctionVersion", ALIAS_VERSION).query(),
            optional("Marker", TEXT).query(),
            optional("MaxItems", MAX_LIST_ITEMS).query(),
        ],
    ),
    (
        "ListFunctionEventInvokeConfigs",
        &[
            required("FunctionName", ANY_FUNCTION_NAME).label(),
            optional("Marker", TEXT).query(),
            optional("MaxItems", Number(1, 50)).query(),
        ],
    ),
    (
        "ListFunctionUrlConfigs",
        &[
            required("FunctionName", FUNCTION_URL_FUNCTION_NAME).label(),
            optional("Marker", TEXT).query(),
            optional("MaxItems", Number(1, 50)).query(),
        ],
    ),
    (
        "ListFunctions",
        &[
            optional("MasterRegion", matching(1, 50, r"ALL|(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}"))
                .query(),
            optional("FunctionVersion", OneOf(&["ALL"])).query(),
            optional("Marker", TEXT).query(),
            optional("MaxItems", MAX_LIST_ITEMS).query(),
        ],
    ),
    (
        "ListProvisionedConcurrencyConfigs",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            optional("Marker", TEXT).query(),
            optional("MaxItems", Number(1, 50)).query(),
        ],
    ),
    ("ListTags", &[required("Resource", TAGGABLE_RESOURCE).label()]),
    (
        "ListVersionsByFunction",
        &[
            required("FunctionName", ANY_FUNCTION_NAME).label(),
            optional("Marker", TEXT).query(),
            optional("MaxItems", MAX_LIST_ITEMS).query(),
        ],
    ),
    (
        "PublishVersion",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            optional("CodeSha256", TEXT),
            optional("Description", DESCRIPTION),
            optional("RevisionId", TEXT),
            optional("PublishTo", FUNCTION_VERSION_LATEST_PUBLISHED),
        ],
    ),
    (
        "PutFunctionConcurrency",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            required("ReservedConcurrentExecutions", Number(0, i64::MAX)),
        ],
    ),
    (
        "RemovePermission",
        &[
            required("FunctionName", ANY_FUNCTION_NAME).label(),
            required("StatementId", matching(1, 100, "([a-zA-Z0-9-_.]+)")).label(),
            optional("Qualifier", QUALIFIER).query(),
            optional("RevisionId", TEXT).query(),
        ],
    ),
    ("TagResource", &[required("Resource", TAGGABLE_RESOURCE).label(), required("Tags", TAGS)]),
    (
        "UntagResource",
        &[
            required("Resource", TAGGABLE_RESOURCE).label(),
            required("TagKeys", List(0, NO_LIMIT, &TAG_KEY)).query_as("tagKeys"),
        ],
    ),
    (
        "UpdateAlias",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            required("Name", ALIAS).label(),
            optional("FunctionVersion", ALIAS_VERSION),
            optional("Description", DESCRIPTION),
            ROUTING,
            optional("RevisionId", TEXT),
        ],
    ),
    (
        "UpdateFunctionCode",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            optional("ZipFile", ZIP),
            optional("S3Bucket", S3_BUCKET),
            optional("S3Key", S3_KEY),
            optional("S3ObjectVersion", S3_OBJECT_VERSION),
            optional("S3ObjectStorageMode", S3_OBJECT_STORAGE_MODE),
            optional("ImageUri", TEXT),
            optional("Architectures", ARCHITECTURES),
            optional("Publish", FLAG),
            optional("PublishTo", FUNCTION_VERSION_LATEST_PUBLISHED),
            optional("DryRun", FLAG),
            optional("RevisionId", TEXT),
            optional("SourceKMSKeyArn", KMS_KEY_ARN),
        ],
    ),
    (
        "UpdateFunctionConfiguration",
        &[
            required("FunctionName", FUNCTION_NAME).label(),
            optional("Role", ROLE_ARN),
            optional("Handler", HANDLER),
            optional("Description", DESCRIPTION),
            optional("Timeout", TIMEOUT),
            optional("MemorySize", MEMORY_SIZE),
            optional("VpcConfig", VPC_CONFIG),
            optional("Environment", ENVIRONMENT),
            optional("Runtime", TEXT),
            optional("DeadLetterConfig", DEAD_LETTER_CONFIG),
            optional("KMSKeyArn", KMS_KEY_ARN),
            optional("TracingConfig", TRACING_CONFIG),
            optional("RevisionId", TEXT),
            optional("Layers", LAYERS),
            optional("FileSystemConfigs", FILE_SYSTEMS),
            optional("ImageConfig", IMAGE_CONFIG),
            optional("EphemeralStorage", EPHEMERAL_STORAGE),
            optional("SnapStart", SNAP_START),
            optional("LoggingConfig", LOGGING_CONFIG),
            optional("CapacityProviderConfig", CAPACITY_PROVIDER_CONFIG),
            optional("DurableConfig", DURABLE_CONFIG),
            optional("RuntimeConfig", FUNCTION_RUNTIME_CONFIG),
            optional("AcceleratorConfig", ACCELERATOR_CONFIG),
        ],
    ),
];
