-- Permits for a token bucket, taken and given back in blocks. ARGV[9] the node, [10] the number of this call among its
-- calls for this bucket, [11] permits that it still holds, [12] permits that it gives back, [13] permits that it wants,
-- [14] for how many microseconds. Answers as a decision does, with the number of permits granted in the first place; -1 where
-- there are none to be had this way: the bucket is of another kind, or a later call of the node was here before.
--
-- A permit that is out counts as missing, and what is missing is never less than all that are out: what is in the bucket
-- and what is out are together never more than the bucket holds.
local s, changed = present()
local q = s.quota
local node, call = ARGV[9], tonumber(ARGV[10])
local holds, returned, wanted, time = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
local granted, retry = -1, 0
if q.algorithm == 't' then
  local had, till, last_call = 0, 0, 0
  local own = redis.call('HGET', KEYS[3], node)
  if own then
    local count, ends, number = string.match(own, '^(%d+) (%d+) (%d+)$')
    had, till, last_call = tonumber(count), tonumber(ends), tonumber(number)
    if till <= now then had = 0 end
  end
  -- A call that was overtaken by a later one says nothing true any more.
  if call > last_call then
    granted = 0
    local others, nodes = s.held - had, 1
    if redis.call('HLEN', KEYS[3]) > 0 then
      local all = redis.call('HGETALL', KEYS[3])
      for i = 1, #all, 2 do
        local ends = tonumber(string.match(all[i + 1], '^%d+ (%d+) %d+$'))
        if ends <= now then
          redis.call('HDEL', KEYS[3], all[i])
        elseif all[i] ~= node then
          nodes = nodes + 1
        end
      end
    end
    -- What had ended here is not given back: it counts as used.
    s.missing = s.missing - math.min(returned, math.max(0, had - holds)) * q.token
    s.missing = math.min(q.full, math.max(s.missing, (others + holds) * q.token))
    local level = math.floor((q.full - s.missing) / q.token)
    if wanted > 0 and level > 0 then
      -- Half of an equal share, so that the last permits are there for whoever comes next.
      granted = math.min(wanted, math.max(1, math.floor(level / (2 * nodes))))
      s.missing = s.missing + granted * q.token
    elseif wanted > 0 then
      retry = time_of(q, s.missing + q.token - q.full)
    end
    local out = holds + granted
    if out > 0 then
      redis.call('HSET', KEYS[3], node, string.format('%.0f %.0f %.0f', out, now + time, call))
      s.leased = math.max(s.leased, now + time)
    elseif own then
      -- Kept without permits until its time is over, for the number of the call.
      redis.call('HSET', KEYS[3], node, string.format('0 %.0f %.0f', now + time, call))
      s.leased = math.max(s.leased, now + time)
    end
    s.held, s.last = others + out, math.max(s.last, now + time)
    if s.leased > now then redis.call('PEXPIRE', KEYS[3], string.format('%.0f', math.ceil((s.leased - now) / 1000) + 60000)) end
    changed = true
  end
end
if changed then keep(s) end
local left = 0
if q.algorithm == 't' then left = math.floor((q.full - s.missing) / q.token) end
return { granted, q.requests, math.max(0, left), full_in(s), retry, s.born, s.number, claimable(s), as_of(s) }
