-- Requests to routes drawn from all of them: see `routes.py`.

local apis = tonumber(os.getenv("APIS"))
local resources = tonumber(os.getenv("RESOURCES"))

function init()
  math.randomseed(tonumber(os.getenv("SEED")))
end

local tails = {
  function() return "" end,
  function() return string.format("/%x", math.random(0, 2 ^ 30)) end,
  function() return string.format("/%x/parts/%d", math.random(0, 2 ^ 30), math.random(0, 99)) end,
  function() return string.format("/files/%d/page-%d.png", math.random(0, 999), math.random(0, 6)) end,
}

function request()
  local api = math.random(0, apis - 1)
  local host, prefix = "other.example.com", "/service-" .. api .. "/v1"
  if api % 2 == 1 then
    host, prefix = "service-" .. api .. ".example.com", "/v1"
  end
  local path = prefix .. "/resource-" .. math.random(0, resources - 1) .. tails[math.random(1, 4)]()
  return "GET " .. path .. " HTTP/1.1\r\nHost: " .. host .. "\r\n\r\n"
end
