-- wrk: each request has the next caller's token, from a file with one token a line; at the end one line of JSON.
local asked, number = {}, 0

function init(args)
   for token in io.lines(args[1]) do
      asked[#asked + 1] = wrk.format("GET", nil, { Authorization = "Bearer " .. token })
   end
end

function request()
   number = number % #asked + 1
   return asked[number]
end

function done(summary, latency)
   local failed = summary.errors
   io.write(string.format('{"requests": %d, "us": %d, "p50": %d, "p99": %d, "not_2xx": %d, "broken": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      failed.status, failed.connect + failed.read + failed.write + failed.timeout))
end
