# What goes.
resource "aws_secretsmanager_secret_rotation" "team" {
  count               = 2
  secret_id           = aws_secretsmanager_secret_version.team[count.index].secret_id
  rotation_lambda_arn = var.function
  rotate_immediately  = false
  rotation_rules {
    automatically_after_days = 30
    duration                 = "4h"
  }
}
