-- One decision: ARGV[9] requests at once (0 only looks). Answers: allowed, the limit, how many more pass at once,
-- microseconds until all is back and until this request passes, born, number, what may be claimed and as of when.
local s, changed = present()
local q, cost = s.quota, tonumber(ARGV[9])
local allowed, left, retry = 1, 0, 0
if q.algorithm == 't' then
  local short = s.missing + math.max(cost, 1) * q.token - q.full
  if short > 0 then allowed, retry = 0, time_of(q, short) end
else
  local short = s.missing + math.max(cost, 1) - q.requests
  if short > 0 then
    allowed = 0
    if q.algorithm == 'f' then
      retry = s.at + q.per - now
    else
      local oldest = redis.call('LINDEX', KEYS[2], -math.min(short, s.missing))
      retry = tonumber(oldest or now) + q.per - now
    end
  end
end
if allowed == 1 and cost > 0 then
  if q.algorithm == 't' then
    s.missing = s.missing + cost * q.token
  else
    if q.algorithm == 's' then push_stamps(cost, now) end
    s.missing = s.missing + cost
  end
  changed = true
end
if changed then keep(s) end
if q.algorithm == 't' then left = math.floor((q.full - s.missing) / q.token) else left = q.requests - s.missing end
return { allowed, q.requests, math.max(0, left), full_in(s), retry, s.born, s.number, claimable(s), as_of(s) }
