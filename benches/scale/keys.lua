-- Requests with a key drawn from KEYS; with WALK set, with one key after the other, from that one on.

local keys = tonumber(os.getenv("KEYS"))
local walk = tonumber(os.getenv("WALK"))
local target = os.getenv("TARGET")
local head = "GET " .. target .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: ocr_"
local number = (walk or 0) - 1

function init()
  math.randomseed(tonumber(os.getenv("SEED")))
end

function request()
  number = walk and (number + 1) % keys or math.random(0, keys - 1)
  return head .. string.format("%064x", number) .. "\r\n\r\n"
end
