# What `rotator` made, taken over by Terraform.
variable "package" {
  type = string
}

data "aws_caller_identity" "caller" {}

locals {
  account     = data.aws_caller_identity.caller.account_id
  name        = "SecretsManagerImported"
  application = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"
  endpoint    = "https://secretsmanager.us-east-1.amazonaws.com"
  tags        = { "rotator:project" = "imported" }
}

variable "secret" {
  type        = string
  description = "The secret's ARN."
}

variable "role" {
  type        = string
  description = "The role that the stack made for the function."
}

import {
  to = aws_secretsmanager_secret.key
  id = var.secret
}

import {
  to = aws_secretsmanager_secret_rotation.key
  id = var.secret
}

import {
  to = aws_lambda_permission.secretsmanager
  id = "${local.name}/SecretsManagerAccess"
}

import {
  to = aws_lambda_function.rotate
  id = local.name
}

import {
  to = aws_serverlessapplicationrepository_cloudformation_stack.rotation
  id = local.name
}

# AWS doesn't tell how a secret is to be deleted, nor how it was asked to rotate, nor where code came from: the provider fills
# in its defaults and calls that a change, which is the reason of every `ignore_changes` here.
resource "aws_secretsmanager_secret" "key" {
  name = "imported/key"
  lifecycle {
    ignore_changes = [force_overwrite_replica_secret, recovery_window_in_days]
  }
}

resource "aws_secretsmanager_secret_rotation" "key" {
  secret_id           = aws_secretsmanager_secret.key.id
  rotation_lambda_arn = aws_lambda_function.rotate.arn
  rotation_rules {
    automatically_after_days = 30
    duration                 = "4h"
  }
  lifecycle {
    ignore_changes = [rotate_immediately]
  }
}

resource "aws_lambda_permission" "secretsmanager" {
  statement_id   = "SecretsManagerAccess"
  function_name  = local.name
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = local.account
}

resource "aws_lambda_function" "rotate" {
  function_name    = local.name
  role             = var.role
  description      = "Conducts an AWS SecretsManager secret rotation for a service of your own"
  runtime          = "python3.9"
  handler          = "lambda_function.lambda_handler"
  timeout          = 30
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  environment {
    variables = {
      EXCLUDE_CHARACTERS       = ":/@\"'\\"
      SECRETS_MANAGER_ENDPOINT = local.endpoint
    }
  }
  tags = merge(local.tags, {
    "SecretsManagerLambda"           = "Rotation"
    "lambda:createdBy"               = "SAM"
    "serverlessrepo:applicationId"   = local.application
    "serverlessrepo:semanticVersion" = "1.1.500"
  })
  lifecycle {
    ignore_changes = [filename, publish, source_code_hash]
  }
}

resource "aws_serverlessapplicationrepository_cloudformation_stack" "rotation" {
  name             = local.name
  application_id   = local.application
  semantic_version = "1.1.500"
  capabilities     = ["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"]
  parameters = {
    endpoint     = local.endpoint
    functionName = local.name
  }
  tags = local.tags
}
