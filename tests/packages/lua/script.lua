-- Tables, closures, coroutines, metatables, string functions, error handling, garbage collection, numbers.
local function show(...) print(string.format(...)) end

local primes = {}
for n = 2, 200 do
  local prime = true
  for _, p in ipairs(primes) do
    if p * p > n then break end
    if n % p == 0 then prime = false break end
  end
  if prime then primes[#primes + 1] = n end
end
show("primes %d last %d sum %d", #primes, primes[#primes], load("local s = 0 for _, p in ipairs(...) do s = s + p end return s")(primes))

local function permutations(list, n)
  n = n or #list
  if n <= 1 then coroutine.yield(table.concat(list)) return end
  for i = 1, n do
    list[i], list[n] = list[n], list[i]
    permutations(list, n - 1)
    list[i], list[n] = list[n], list[i]
  end
end
local all = {}
for text in coroutine.wrap(function() permutations({"a", "b", "c", "d"}) end) do all[#all + 1] = text end
table.sort(all)
show("permutations %d first %s last %s", #all, all[1], all[#all])

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({x = a.x + b.x, y = a.y + b.y}, Vector) end
Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
Vector.__tostring = function(v) return "(" .. v.x .. ", " .. v.y .. ")" end
Vector.__call = function(v, k) return v.x * k end
local sum = setmetatable({x = 1, y = 2}, Vector) + setmetatable({x = 3, y = 4.5}, Vector)
show("vector %s call %g equal %s", tostring(sum), sum(10), tostring(sum == setmetatable({x = 4, y = 6.5}, Vector)))

local ok, message = pcall(function() error({code = 42}) end)
show("pcall %s %d", tostring(ok), message.code)
ok, message = pcall(function() local t = nil; return t.field end)
show("pcall %s %s", tostring(ok), message:gsub("^.-:%d+: ", ""))
ok, message = xpcall(function() error("deep") end, function(m) return m:upper():match("DEEP") end)
show("xpcall %s %s", tostring(ok), message)
local function overflow() return 1 + overflow() end
show("overflow %s", tostring(pcall(overflow)))
local closed = {}
do
  local first <close> = setmetatable({}, {__close = function() closed[#closed + 1] = "first" end})
  local second <close> = setmetatable({}, {__close = function() closed[#closed + 1] = "second" end})
end
show("closed %s", table.concat(closed, " "))

show("strings %s %s %d %s", ("x"):rep(3, "-"), ("Hello World"):gsub("%w+", string.reverse), ("hello"):byte(2), ("%5.2f|%-5d|%q"):format(3.14159, 42, "a\nb"))
for key, value in ("a=1, b=22, c=333"):gmatch("(%w+)=(%w+)") do io.write(key, ":", value, " ") end
show("find %d %d packed %s", ("needle in haystack"):find("in", 1, true), 7, string.unpack("<i4", string.pack("<i4", -12345)))
show("integers %d %d %s %s", 7 // 2, -7 % 3, 2 ^ 53, math.maxinteger + 1 == math.mininteger)
show("bits %x %d utf8 %d", 0xff ~ 0x0f, 1 << 40, utf8.len("häßlich"))
goto finish
show("never printed")
::finish::
local weak = setmetatable({}, {__mode = "k"})
for i = 1, 1000 do weak[{}] = i end
collectgarbage()
show("collected %s", tostring(next(weak) == nil))
local text = {}
for i = 1, 20000 do text[#text + 1] = tostring(i * i % 97) end
show("long string %d checksum %d", #table.concat(text, ","), #table.concat(text):gsub("[^7]", ""))
