# Rotation as a whole: the generic function with code of one's own, and a function made by hand, each rotating a secret.
variable "package" {
  type        = string
  description = "The functions' code as a zip file."
}

variable "aws" {
  type        = string
  description = "AWS's command line."
}

variable "days" {
  type = number
}

variable "stack_tags" {
  type    = map(string)
  default = {}
}

data "aws_caller_identity" "caller" {}

data "aws_serverlessapplicationrepository_application" "template" {
  application_id = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"
}

resource "aws_serverlessapplicationrepository_cloudformation_stack" "rotation" {
  name             = "SecretsManagerWhole"
  application_id   = data.aws_serverlessapplicationrepository_application.template.application_id
  semantic_version = data.aws_serverlessapplicationrepository_application.template.semantic_version
  capabilities     = data.aws_serverlessapplicationrepository_application.template.required_capabilities
  tags             = var.stack_tags
  parameters = {
    endpoint     = "https://secretsmanager.us-east-1.amazonaws.com"
    functionName = "SecretsManagerWhole"
  }
}

# The provider has nothing for the code of a function that a stack made.
resource "terraform_data" "code" {
  triggers_replace = [filesha256(var.package)]
  provisioner "local-exec" {
    command = join(" ", [
      var.aws, "lambda update-function-code",
      "--function-name", data.aws_lambda_function.template.function_name,
      "--zip-file", "fileb://${var.package}",
    ])
    environment = {
      AWS_ACCESS_KEY_ID     = var.account
      AWS_SECRET_ACCESS_KEY = "sandbox"
      AWS_DEFAULT_REGION    = "us-east-1"
    }
  }
}

data "aws_lambda_function" "template" {
  function_name = aws_serverlessapplicationrepository_cloudformation_stack.rotation.outputs["RotationLambdaARN"]
}

resource "aws_lambda_function" "own" {
  function_name    = "SecretsManagerOwn"
  role             = "arn:aws:iam::${data.aws_caller_identity.caller.account_id}:role/rotation"
  runtime          = "python3.12"
  handler          = "lambda_function.lambda_handler"
  timeout          = 30
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
}

locals {
  functions = {
    template = data.aws_lambda_function.template.arn
    own      = aws_lambda_function.own.arn
  }
}

resource "aws_lambda_permission" "secretsmanager" {
  for_each       = local.functions
  statement_id   = "SecretsManagerAccess"
  function_name  = each.value
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.caller.account_id
}

resource "aws_secretsmanager_secret" "key" {
  for_each                = local.functions
  name                    = "whole/${each.key}"
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "key" {
  for_each      = local.functions
  secret_id     = aws_secretsmanager_secret.key[each.key].id
  secret_string = "before ${each.key}"
}

resource "aws_secretsmanager_secret_rotation" "key" {
  for_each            = local.functions
  secret_id           = aws_secretsmanager_secret_version.key[each.key].secret_id
  rotation_lambda_arn = each.value
  rotation_rules {
    automatically_after_days = var.days
    duration                 = "4h"
  }
  depends_on = [aws_lambda_permission.secretsmanager, terraform_data.code]
}
