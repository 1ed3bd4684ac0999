# What goes.
resource "aws_secretsmanager_secret_rotation" "west" {
  provider            = aws.west
  secret_id           = aws_secretsmanager_secret_version.west.secret_id
  rotation_lambda_arn = aws_lambda_function.west.arn
  rotate_immediately  = false
  rotation_rules {
    schedule_expression = "cron(0 8 ? * SUN *)"
    duration            = "3h"
  }
  depends_on = [aws_lambda_permission.west]
}

data "aws_serverlessapplicationrepository_application" "template" {
  application_id = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"
}

resource "aws_serverlessapplicationrepository_cloudformation_stack" "keys" {
  name             = "MovingKeys"
  application_id   = data.aws_serverlessapplicationrepository_application.template.application_id
  semantic_version = data.aws_serverlessapplicationrepository_application.template.semantic_version
  capabilities     = data.aws_serverlessapplicationrepository_application.template.required_capabilities
  parameters = {
    endpoint     = "https://secretsmanager.us-east-1.amazonaws.com"
    functionName = "MovingKeys"
  }
}

resource "aws_secretsmanager_secret_rotation" "stack" {
  secret_id           = aws_secretsmanager_secret_version.stack.secret_id
  rotation_lambda_arn = aws_serverlessapplicationrepository_cloudformation_stack.keys.outputs["RotationLambdaARN"]
  rotate_immediately  = false
  rotation_rules {
    automatically_after_days = 7
  }
}
