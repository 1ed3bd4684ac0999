# Rotations that move to a manifest: of single secrets, of each of several, of modules, of a stack's function, in two regions. What
# moves stands in files of its own, which the suite takes away.
variable "package" {
  type = string
}

variable "each" {
  type        = map(string)
  description = "Secrets by a key that shells and Terraform write differently."
}

provider "aws" {
  alias                       = "west"
  region                      = "eu-west-1"
  access_key                  = var.account
  secret_key                  = "sandbox"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

resource "aws_lambda_function" "rotate" {
  function_name    = "moving"
  role             = "arn:aws:iam::${var.account}:role/rotation"
  runtime          = "java21"
  handler          = "Handler::handle"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
}

resource "aws_lambda_function" "west" {
  provider         = aws.west
  function_name    = "moving"
  role             = "arn:aws:iam::${var.account}:role/rotation"
  runtime          = "java21"
  handler          = "Handler::handle"
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
}

resource "aws_lambda_permission" "rotate" {
  statement_id   = "SecretsManagerAccess"
  function_name  = aws_lambda_function.rotate.function_name
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = var.account
}

resource "aws_lambda_permission" "west" {
  provider       = aws.west
  statement_id   = "SecretsManagerAccess"
  function_name  = aws_lambda_function.west.function_name
  action         = "lambda:InvokeFunction"
  principal      = "secretsmanager.amazonaws.com"
  source_account = var.account
}

resource "aws_secretsmanager_secret" "each" {
  for_each = toset(["moving/quoted", "moving/plain", "staying/one"])
  name     = each.key
}

resource "aws_secretsmanager_secret_version" "each" {
  for_each      = aws_secretsmanager_secret.each
  secret_id     = each.value.id
  secret_string = "planted-value-d4e5f6"
}

resource "aws_secretsmanager_secret_rotation" "each" {
  for_each            = var.each
  secret_id           = aws_secretsmanager_secret.each[each.value].id
  rotation_lambda_arn = aws_lambda_function.rotate.arn
  rotate_immediately  = false
  rotation_rules {
    automatically_after_days = 30
  }
  depends_on = [aws_lambda_permission.rotate, aws_secretsmanager_secret_version.each]
}

resource "aws_secretsmanager_secret" "west" {
  provider = aws.west
  name     = "moving/west"
}

resource "aws_secretsmanager_secret_version" "west" {
  provider      = aws.west
  secret_id     = aws_secretsmanager_secret.west.id
  secret_string = "planted-value-d4e5f6"
}

resource "aws_secretsmanager_secret" "stack" {
  name = "moving/stack"
}

resource "aws_secretsmanager_secret_version" "stack" {
  secret_id     = aws_secretsmanager_secret.stack.id
  secret_string = "planted-value-d4e5f6"
}

module "team" {
  source     = "./team"
  for_each   = toset(["a", "b"])
  name       = each.key
  function   = aws_lambda_function.rotate.arn
  depends_on = [aws_lambda_permission.rotate]
}
