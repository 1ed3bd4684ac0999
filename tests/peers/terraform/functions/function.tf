# A function with what the provider manages of one.
variable "package" {
  type = string
}

variable "settings" {
  type = object({
    description = optional(string)
    timeout     = optional(number)
    memory      = optional(number)
    environment = optional(map(string))
    subnets     = optional(list(string))
    groups      = optional(list(string))
    tags        = optional(map(string))
    reserved    = optional(number)
    json_logs   = optional(bool, false)
    tracing     = optional(string)
    storage     = optional(number)
    kms_key     = optional(string)
    layers      = optional(list(string))
    publish     = optional(bool, false)
  })
}

variable "accounts" {
  type        = map(string)
  description = "Accounts whose secrets it may rotate, by statement id."
}

data "aws_caller_identity" "caller" {}

resource "aws_lambda_function" "rotate" {
  function_name                  = "terraform-function"
  role                           = "arn:aws:iam::${data.aws_caller_identity.caller.account_id}:role/service/rotation"
  runtime                        = "python3.12"
  handler                        = "lambda_function.lambda_handler"
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  description                    = var.settings.description
  timeout                        = var.settings.timeout
  memory_size                    = var.settings.memory
  reserved_concurrent_executions = var.settings.reserved
  kms_key_arn                    = var.settings.kms_key
  layers                         = var.settings.layers
  publish                        = var.settings.publish
  tags                           = var.settings.tags

  dynamic "environment" {
    for_each = var.settings.environment[*]
    content {
      variables = environment.value
    }
  }

  dynamic "vpc_config" {
    for_each = var.settings.subnets == null ? [] : [0]
    content {
      subnet_ids         = var.settings.subnets
      security_group_ids = var.settings.groups
    }
  }

  dynamic "logging_config" {
    for_each = var.settings.json_logs ? [0] : []
    content {
      log_format            = "JSON"
      application_log_level = "DEBUG"
      system_log_level      = "WARN"
      log_group             = "/rotation/terraform"
    }
  }

  dynamic "tracing_config" {
    for_each = var.settings.tracing[*]
    content {
      mode = tracing_config.value
    }
  }

  dynamic "ephemeral_storage" {
    for_each = var.settings.storage[*]
    content {
      size = ephemeral_storage.value
    }
  }
}

resource "aws_lambda_permission" "secretsmanager" {
  for_each       = var.accounts
  statement_id   = each.key
  function_name  = aws_lambda_function.rotate.function_name
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = each.value
}

data "aws_lambda_function" "rotate" {
  function_name = aws_lambda_function.rotate.function_name
}

output "function" {
  value = {
    arn          = data.aws_lambda_function.rotate.arn
    environment  = data.aws_lambda_function.rotate.environment
    last_changed = data.aws_lambda_function.rotate.last_modified
    version      = aws_lambda_function.rotate.version
  }
}
