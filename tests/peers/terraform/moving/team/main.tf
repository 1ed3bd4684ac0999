variable "name" {
  type = string
}

variable "function" {
  type = string
}

resource "aws_secretsmanager_secret" "team" {
  count = 2
  name  = "moving/${var.name}/${count.index}"
}

resource "aws_secretsmanager_secret_version" "team" {
  count         = 2
  secret_id     = aws_secretsmanager_secret.team[count.index].id
  secret_string = "planted-value-d4e5f6"
}
