# Secrets in every state that the provider manages, rotated by one function.
variable "package" {
  type        = string
  description = "The function's zip file."
}

variable "description" {
  type    = string
  default = null
}

variable "kms_key" {
  type    = string
  default = null
}

variable "tags" {
  type    = map(string)
  default = {}
}

variable "principal" {
  type        = string
  description = "Who else may read the secret with a policy; nobody where it is null."
  default     = null
}

variable "value" {
  type      = string
  default   = "first"
  sensitive = true
}

variable "rotations" {
  type = map(object({
    days        = optional(number)
    expression  = optional(string)
    duration    = optional(string)
    immediately = optional(bool)
  }))
}

data "aws_caller_identity" "caller" {}

locals {
  policy = var.principal == null ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Reader"
      Effect    = "Allow"
      Principal = { AWS = var.principal }
      Action    = "secretsmanager:GetSecretValue"
      Resource  = "*"
    }]
  })
}

resource "aws_lambda_function" "rotate" {
  function_name    = "terraform-secrets"
  role             = "arn:aws:iam::${data.aws_caller_identity.caller.account_id}:role/rotation"
  runtime          = "python3.12"
  handler          = "lambda_function.lambda_handler"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
}

resource "aws_lambda_permission" "secretsmanager" {
  statement_id   = "SecretsManagerAccess"
  function_name  = aws_lambda_function.rotate.function_name
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.caller.account_id
}

# With a policy in a resource of its own, and everything that a secret can have.
resource "aws_secretsmanager_secret" "full" {
  name                    = "terraform/full"
  description             = var.description
  kms_key_id              = var.kms_key
  recovery_window_in_days = 7
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_policy" "full" {
  count      = var.principal == null ? 0 : 1
  secret_arn = aws_secretsmanager_secret.full.arn
  policy     = local.policy
}

resource "aws_secretsmanager_secret_version" "full" {
  secret_id     = aws_secretsmanager_secret.full.id
  secret_string = var.value
}

# With a policy in the secret, and a binary value.
resource "aws_secretsmanager_secret" "binary" {
  name                    = "terraform/binary"
  policy                  = coalesce(local.policy, "{}")
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "binary" {
  secret_id      = aws_secretsmanager_secret.binary.id
  secret_binary  = base64encode(var.value)
  version_stages = ["AWSCURRENT", "terraform"]
}

resource "aws_secretsmanager_secret" "rotated" {
  for_each                = var.rotations
  name                    = "terraform/rotated/${each.key}"
  recovery_window_in_days = 0
}

resource "aws_secretsmanager_secret_version" "rotated" {
  for_each      = var.rotations
  secret_id     = aws_secretsmanager_secret.rotated[each.key].id
  secret_string = "before ${each.key}"
}

resource "aws_secretsmanager_secret_rotation" "rotated" {
  for_each            = var.rotations
  secret_id           = aws_secretsmanager_secret_version.rotated[each.key].secret_id
  rotation_lambda_arn = aws_lambda_function.rotate.arn
  rotate_immediately  = each.value.immediately
  rotation_rules {
    automatically_after_days = each.value.days
    schedule_expression      = each.value.expression
    duration                 = each.value.duration
  }
  depends_on = [aws_lambda_permission.secretsmanager]
}
