# What every configuration of this folder starts with: the provider as people point it at a local AWS.
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "account" {
  type        = string
  description = "The account, which the access key names."
}

# Where the sandbox listens stands in AWS_ENDPOINT_URL. A block `endpoints` does the same, and has the provider think about
# its hundreds of services for seconds each time.
provider "aws" {
  region                      = "us-east-1"
  access_key                  = var.account
  secret_key                  = "sandbox"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
