-- Posts batches whose key and body follow from (burst, thread, counter), and logs every answer.
-- Each thread has one connection, so the answer that comes is the one to the last request made.
-- Arguments: path, burst, rows of a batch, log folder.

local ffi = require("ffi")
ffi.cdef("int usleep(unsigned int microseconds);")
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  path, burst, rows, folder = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
  counter, answered = 0, 0
  log = io.open(string.format("%s/%d-%d.log", folder, burst, number), "w")
  log:setvbuf("line")
end

function delay()
  return 4
end

function request()
  -- While the server is down, thousands would be made and get nowhere.
  if counter > answered then ffi.C.usleep(20000) end
  counter = counter + 1
  local producer = string.format("wrk-%d-%d", burst, number)
  local lines = {}
  for n = 0, rows - 1 do
    lines[#lines + 1] = string.format(
      '{"id":"%s-%d-%d","producer":"%s","batch":%d,"n":%d,"payload":"%s"}\n',
      producer, counter, n, producer, counter, n, string.rep("w", (counter * 7 + n) % 50))
  end
  log:write(string.format("sent %d\n", counter))
  local headers = {
    ["Content-Type"] = "application/x-ndjson",
    ["Idempotency-Key"] = string.format("%s-%d", producer, counter),
  }
  return wrk.format("POST", path, headers, table.concat(lines))
end

function response(status, headers, body)
  answered = counter
  log:write(string.format("%d %d %s\n", counter, status, (body:gsub("%s+$", ""))))
end
