-- What every script begins with: the time, the state of one bucket, and its arithmetic.
--
-- KEYS[1] the state, as words: quota, previous quota, when that changed, born, number of the last write, when that was,
--         what is missing, until when there may be leases. Times are microseconds of this server's clock.
-- KEYS[2] a sliding window's stamps, newest first.
-- KEYS[3] leases by node: permits, end, number of the last request for them.
-- ARGV[1..4] the caller's quota: its text, algorithm (t, s or f), requests, microseconds of the period.
-- ARGV[5..8] what the caller knows: born and number of the write it was told of, how much it claims is missing, as of when.
--
-- All numbers are integers below 2^53, so that doubles hold them exactly. A bucket's content is counted in ticks, of which
-- it has about 2^50 whatever its size: what rounding costs is below 2^-17 of a token per write, and never in the client's favour.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local TICKS = 1125899906842624
-- So long after a change of quota, callers may still come that have not heard of it.
local LATE = 10000000

local function quota_of(text, algorithm, requests, per)
  local q = { text = text, algorithm = algorithm, requests = tonumber(requests), per = tonumber(per) }
  q.token = math.floor(TICKS / q.requests)
  q.full = q.token * q.requests
  return q
end

local function parsed(text)
  local algorithm, requests, per = string.match(text, '^(%a):(%d+):(%d+)$')
  return algorithm and quota_of(text, algorithm, requests, per)
end

-- Ticks that come back in a time, rounded down.
local function refill(q, us)
  if us >= q.per then return q.full end
  return math.max(0, math.floor(us * (q.full / q.per)) - 1)
end

-- The time in which ticks have come back for certain.
local function time_of(q, ticks)
  if ticks <= 0 then return 0 end
  return math.ceil((ticks + 2) * (q.per / q.full))
end

local function load_state()
  local text = redis.call('GET', KEYS[1])
  if not text then return nil end
  local quota, previous, changed, born, number, at, missing, leased =
    string.match(text, '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  local q = quota and parsed(quota)
  if not q then return nil end
  return {
    quota = q, previous = previous, changed = tonumber(changed), born = tonumber(born), number = tonumber(number),
    at = tonumber(at), missing = tonumber(missing), leased = tonumber(leased),
  }
end

local function save_state(s, lives)
  s.number = s.number + 1
  local text = string.format('%s %s %.0f %.0f %.0f %.0f %.0f %.0f', s.quota.text, s.previous, s.changed, s.born, s.number,
    s.at, s.missing, s.leased)
  redis.call('SET', KEYS[1], text, 'PX', string.format('%.0f', math.ceil(lives / 1000) + 1))
end

-- The stamps of a sliding window that count, with those dropped that do not. A clock that was set back makes no stamp
-- later than now: the newest is then of now, and the others as much older as they were.
local function stamps_within(per)
  local length = redis.call('LLEN', KEYS[2])
  if length == 0 then return 0 end
  local newest = tonumber(redis.call('LINDEX', KEYS[2], 0))
  if newest > now then
    local all = redis.call('LRANGE', KEYS[2], 0, -1)
    redis.call('DEL', KEYS[2])
    for _, stamp in ipairs(all) do
      redis.call('RPUSH', KEYS[2], string.format('%.0f', tonumber(stamp) - (newest - now)))
    end
  end
  local counted, expired = 0, length
  if tonumber(redis.call('LINDEX', KEYS[2], -1)) + per > now then return length end
  while counted < expired do
    local middle = math.floor((counted + expired) / 2)
    if tonumber(redis.call('LINDEX', KEYS[2], middle)) + per > now then counted = middle + 1 else expired = middle end
  end
  if counted == 0 then redis.call('DEL', KEYS[2]) else redis.call('LTRIM', KEYS[2], 0, counted - 1) end
  return counted
end

local function push_stamps(count, at)
  for _ = 1, count do redis.call('LPUSH', KEYS[2], string.format('%.0f', at)) end
end

local function window_start(q)
  return now - math.fmod(now, q.per)
end

-- Permits that nodes hold, and the latest end of those that have ended since the last write.
local function leases(s)
  local held, ended, last = 0, 0, 0
  if s.leased == 0 then return held, ended, last end
  local all = redis.call('HGETALL', KEYS[3])
  for i = 1, #all, 2 do
    local count, till = string.match(all[i + 1], '^(%d+) (%d+) %d+$')
    count, till = tonumber(count), tonumber(till)
    if till > now then
      held = held + count
      last = math.max(last, till)
    else
      ended = math.max(ended, till)
    end
  end
  return held, ended, last
end

-- Brings a state to this moment: what came back since, but never more than what no node holds a permit for.
local function refresh(s)
  local q = s.quota
  if q.algorithm == 's' then
    s.missing = stamps_within(q.per)
  elseif q.algorithm == 'f' then
    local start = window_start(q)
    if s.at < start then s.missing = 0 end
    s.at = start
  else
    local held, ended, last = leases(s)
    local from = math.min(s.at, now)
    -- A permit that ended meanwhile was out until then: what came back before that is not told apart from it.
    if ended > from then from = ended end
    s.missing = math.max(s.missing - refill(q, now - from), 0)
    s.missing = math.min(math.max(s.missing, held * q.token), q.full)
    s.at = now
    s.held, s.last = held, last
  end
end

-- Requests that count at this moment.
local function used(s)
  if s.quota.algorithm == 't' then return math.ceil(s.missing / s.quota.token) end
  return s.missing
end

-- The state under another quota, in which as many requests count as before.
local function convert(s, q)
  local count = math.min(used(s), q.requests)
  if q.algorithm == 's' then
    if s.quota.algorithm == 's' then
      count = stamps_within(q.per)
    else
      redis.call('DEL', KEYS[2])
      push_stamps(count, now)
    end
    s.missing = count
  elseif q.algorithm == 'f' then
    s.missing, s.at = count, window_start(q)
  else
    s.missing, s.at = count * q.token, now
  end
  if s.quota.algorithm == 's' and q.algorithm ~= 's' then redis.call('DEL', KEYS[2]) end
  s.previous, s.changed, s.quota = s.quota.text, now, q
end

-- What the caller was told before, where this server does not go on from there: it lost its memory, or it is a replica
-- that had not heard all. The greater of the two is true.
local function claim(s, fresh)
  local born, number, amount, as_of = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
  if amount == 0 or (not fresh and born == s.born and number <= s.number) then return false end
  local q, before = s.quota, s.missing
  if q.text ~= ARGV[1] then return false end
  if q.algorithm == 't' then
    s.missing = math.max(s.missing, math.min(q.full, math.ceil(amount * (q.full / q.per))))
  elseif q.algorithm == 'f' then
    if as_of == s.at then s.missing = math.max(s.missing, math.min(amount, q.requests)) end
  elseif as_of < q.per then
    local more = math.min(amount, q.requests) - s.missing
    if more > 0 then
      -- In their order: what is claimed is older than what may stand there already, or taken to be as old.
      local newest = tonumber(redis.call('LINDEX', KEYS[2], 0) or '0')
      push_stamps(more, math.max(newest, now - as_of))
      s.missing = s.missing + more
    end
  end
  return s.missing > before
end

-- The state as it is now, under the quota by which this call is decided.
local function present()
  local asked = quota_of(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
  local s = load_state()
  local fresh, changed = not s, false
  if fresh then
    redis.call('DEL', KEYS[2], KEYS[3])
    s = { quota = asked, previous = '-', changed = 0, born = now, number = 0, at = now, missing = 0, leased = 0 }
    if asked.algorithm == 'f' then s.at = window_start(asked) end
  end
  -- A clock that was set back: from here on it goes on from the time that it shows now, whoever asks.
  if now < s.at then changed = true end
  refresh(s)
  if s.quota.text ~= asked.text and not (s.previous == asked.text and now < s.changed + LATE) then
    convert(s, asked)
    changed = true
  end
  if claim(s, fresh) then changed = true end
  return s, changed
end

-- When all is back, and for how long the state has to be kept.
local function full_in(s)
  local q = s.quota
  if s.missing == 0 then return 0 end
  -- To the nearest microsecond, so that whole seconds stay whole.
  if q.algorithm == 't' then return math.max(1, math.floor(s.missing * (q.per / q.full) + 0.5)) end
  if q.algorithm == 'f' then return s.at + q.per - now end
  return tonumber(redis.call('LINDEX', KEYS[2], 0)) + q.per - now
end

local function lives(s)
  local life = full_in(s)
  if s.previous ~= '-' then life = math.max(life, s.changed + LATE - now) end
  if s.leased > now then life = math.max(life, s.leased - now + s.quota.per) end
  return life
end

local function keep(s)
  if s.leased <= now then s.leased = 0 end
  local life = lives(s)
  save_state(s, life)
  if s.quota.algorithm == 's' and s.missing > 0 then
    redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.ceil(life / 1000) + 1))
  end
end

-- What is missing as a caller may claim it later: while leases are out, it does not shrink below them.
local function claimable(s)
  if s.quota.algorithm ~= 't' then return s.missing end
  local pinned = 0
  if (s.held or 0) > 0 then pinned = (s.last - now) + time_of(s.quota, s.held * s.quota.token) end
  return math.max(full_in(s), pinned)
end

local function as_of(s)
  local q = s.quota
  if q.algorithm == 'f' then return s.at end
  if q.algorithm == 's' and s.missing > 0 then return now - tonumber(redis.call('LINDEX', KEYS[2], 0)) end
  return 0
end
