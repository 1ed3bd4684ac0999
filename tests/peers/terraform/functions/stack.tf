# The generic rotation function, from the Serverless Application Repository.
variable "stack_version" {
  type        = string
  description = "Null: the newest."
  default     = null
}

variable "stack_parameters" {
  type    = map(string)
  default = {}
}

variable "stack_tags" {
  type    = map(string)
  default = {}
}

data "aws_serverlessapplicationrepository_application" "template" {
  application_id   = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRotationTemplate"
  semantic_version = var.stack_version
}

resource "aws_serverlessapplicationrepository_cloudformation_stack" "rotation" {
  name             = "terraform-stack"
  application_id   = data.aws_serverlessapplicationrepository_application.template.application_id
  semantic_version = data.aws_serverlessapplicationrepository_application.template.semantic_version
  capabilities     = data.aws_serverlessapplicationrepository_application.template.required_capabilities
  tags             = var.stack_tags

  parameters = merge({
    endpoint     = "https://secretsmanager.us-east-1.amazonaws.com"
    functionName = "terraform-stack"
  }, var.stack_parameters)
}

output "stack_function" {
  value = aws_serverlessapplicationrepository_cloudformation_stack.rotation.outputs["RotationLambdaARN"]
}
