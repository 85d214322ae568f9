// Runs a script that sorts, concatenates, matches and calls, four times over.
#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

#include "passes.h"

static const char script[] =
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
    "local t, seed = {}, 42\n"
    "for i = 1, 300000 do seed = (seed * 16807) % 2147483647; t[i] = seed end\n"
    "table.sort(t)\n"
    "local parts = {}\n"
    "for i = 1, #t, 3 do parts[#parts + 1] = string.format('%d:%s', t[i] % 1000, ('x'):rep(i % 7)) end\n"
    "local text, count = table.concat(parts, ','), 0\n"
    "for number, tail in text:gmatch('(%d+):(x*)') do count = (count * 31 + tonumber(number) + #tail) % 1000003 end\n"
    "local list = setmetatable({}, {__index = function(_, k) return k * 2 end})\n"
    "for i = 1, 2000000 do count = (count + list[i]) % 1000003 end\n"
    "return (count + fib(29)) % 1000003\n";

static long run(void) {
    lua_State *state = luaL_newstate();
    if (!state) return -1;
    luaL_openlibs(state);
    long result = luaL_dostring(state, script) == LUA_OK ? (long)lua_tointeger(state, -1) : -1;
    lua_close(state);
    return result;
}

static long work(void) {
    long sum = 0;
    for (int i = 0; i < 4; i++) {
        long result = run();
        if (result < 0) return -1;
        sum += result;
    }
    return sum;
}

int main(void) { return passes(work); }
