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

-- What was asked for and isn't answered yet, where answers are checked: versions by their ids, and secrets by their names.
local checking = os.getenv("CHECK") ~= nil
local asked = {}

local function ask(what)
  if checking then
    asked[what] = (asked[what] or 0) + 1
  end
  return what
end

local function answered(what)
  local count = what and asked[what] or 0
  if count > 0 then
    asked[what] = count - 1
  end
  return count > 0
end

-- Every secret in turn, far from the one before.
local function name()
  counter = counter + 1
  return ask(string.format("load/%06d", counter * 7919 % secrets))
end

-- A version's id: always the same for a rotation, so that a secret that rotates already answers as it did before.
local function token(fixed)
  if fixed then
    return ask("rotation-" .. string.rep("0", 29 - #fixed) .. fixed:gsub("/", "-"))
  end
  return ask(string.format("%08x-0000-4000-8000-%012x", math.random(0, 0x7fffffff), counter))
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

-- Whether an answer is about a secret that was asked for: its name, in its ARN too, and its value or version.
local function is_right(body)
  if scenario == "GetFunction" then
    return body:find('"FunctionArn":"arn:aws:lambda:' .. region .. ":" .. account .. ':function:load"', 1, true) ~= nil
  elseif scenario == "ListSecrets" then
    local _, found = body:gsub('"Name":"load/%d%d%d%d%d%d"', "")
    return found == math.min(100, secrets)
  end
  local found = body:match('"Name":"(load/%d+)"')
  local arn = "arn:aws:secretsmanager:" .. region .. ":" .. account .. ":secret:" .. (found or "?") .. "-"
  if not answered(found) or not body:find('"ARN":"' .. arn, 1, true) then
    return false
  elseif scenario == "GetSecretValue" then
    return body:find('"SecretString":"', 1, true) ~= nil
  elseif scenario == "PutSecretValue" or scenario == "RotateSecret" then
    return answered(body:match('"VersionId":"([^"]+)"'))
  end
  return body:find('"Description":"One of many"', 1, true) ~= nil
end

-- Reading answers takes wrk a good part of its time: a run of its own does, and isn't measured.
if checking then
  right, wrong = 0, 0
  function response(status, headers, body)
    if status == 200 and is_right(body) then
      right = right + 1
    else
      wrong = wrong + 1
      if wrong == 1 then
        io.stderr:write("a wrong answer: ", status, " ", body:sub(1, 500), "\n")
      end
    end
  end
end

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

-- The end of a run that checks.
local function judge()
  local all_right, all_wrong = 0, 0
  for _, thread in ipairs(threads) do
    all_right, all_wrong = all_right + thread:get("right"), all_wrong + thread:get("wrong")
  end
  if all_wrong > 0 or all_right == 0 then
    io.stderr:write(os.getenv("LABEL"), ": ", all_right, " answers right, ", all_wrong, " wrong\n")
    io.open(os.getenv("FAILED"), "w"):close()
  end
end

function done(summary, latency, requests)
  if checking then
    return judge()
  end
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
