-- wrk: a request per token and path, in turn. TOKENS is a file with a token a line, OFFSET where this window begins,
-- ROUTES how many paths there are; 0 stands for the one path of the small case.
local tokens = {}
for line in io.lines(os.getenv("TOKENS")) do tokens[#tokens + 1] = "Bearer " .. line end
local routes = tonumber(os.getenv("ROUTES"))
local at = tonumber(os.getenv("OFFSET"))
local paths = {}
for route = 1, routes do paths[route] = "/service-" .. route .. "/items" end

request = function()
  at = at + 1
  local path = routes == 0 and "/todos" or paths[at % routes + 1]
  return wrk.format("GET", path, { authorization = tokens[at % #tokens + 1] })
end
