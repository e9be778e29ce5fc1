-- Says in the log of a job why it has failed for good. A job names it with `hooks: notify.lua`.
local M = {}

function M.failure(ctx, ev)
  local tries = if ev.attempts == 1 then "one attempt" else ev.attempts .. " attempts"
  ctx:log("error", `{ctx.task.name} failed after {tries}: {ev.reason}`, {
    run = `{ctx.run.task}#{ctx.run.number}`,
    started_by = ctx.run.trigger,
  })
end

return M
