-- One scenario of tests/load/run: what each request is, whether its answer is right, and a line of results.

local scenario = os.getenv("SCENARIO")
local secrets = tonumber(os.getenv("SECRETS"))
local account = "123456789012"
local region = "us-east-1"
local counter = 0

local function authorization(service)
  local scope = account .. "/20260131/" .. region .. "/" .. service .. "/aws4_request"
  return "AWS4-HMAC-SHA256 Credential=" .. scope .. ", SignedHeaders=host;x-amz-date, Signature=" .. string.rep("0", 64)
end

-- Every secret in turn, far from the one before.
local function name()
  counter = counter + 1
  return string.format("load/%06d", counter * 7919 % secrets)
end

-- A version's id: always the same for a rotation, so that a secret that rotates already answers as it did before.
local function token(fixed)
  if fixed then
    return "rotation-" .. string.rep("0", 29 - #fixed) .. fixed:gsub("/", "-")
  end
  return string.format("%08x-0000-4000-8000-%012x", math.random(0, 0x7fffffff), counter)
end

local bodies = {
  DescribeSecret = function() return '{"SecretId":"' .. name() .. '"}' end,
  GetSecretValue = function() return '{"SecretId":"' .. name() .. '"}' end,
  ListSecrets = function() return '{"MaxResults":100}' end,
  PutSecretValue = function()
    return '{"SecretId":"' .. name() .. '","SecretString":"next","ClientRequestToken":"' .. token() .. '"}'
  end,
  RotateSecret = function()
    local secret = name()
    return '{"SecretId":"' .. secret .. '","ClientRequestToken":"' .. token(secret) ..
      '","RotationLambdaARN":"arn:aws:lambda:' .. region .. ':' .. account .. ':function:load"}'
  end,
}

function init()
  math.randomseed(os.time())
  if scenario == "GetFunction" then
    wrk.method = "GET"
    wrk.path = "/2015-03-31/functions/load"
    wrk.headers["Authorization"] = authorization("lambda")
  else
    wrk.method = "POST"
    wrk.path = "/"
    wrk.headers["Authorization"] = authorization("secretsmanager")
    wrk.headers["Content-Type"] = "application/x-amz-json-1.1"
    wrk.headers["X-Amz-Target"] = "secretsmanager." .. scenario
  end
end

function request()
  local body = bodies[scenario]
  return wrk.format(nil, nil, nil, body and body())
end

function done(summary, latency, requests)
  local errors = summary.errors
  local wrong = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local rate = summary.requests / (summary.duration / 1e6)
  local ms = function(percentile) return latency:percentile(percentile) / 1000 end
  io.write(string.format("| %-41s | %10.0f | %7d | %8.2f | %8.2f | %8.2f | %8.2f |\n", os.getenv("LABEL"), rate, wrong,
    ms(50), ms(90), ms(99), latency.max / 1000))
  if wrong > 0 or rate < tonumber(os.getenv("LEAST")) then
    io.open(os.getenv("FAILED"), "w"):close()
  end
end
