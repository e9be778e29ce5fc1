-- Turns lines such as "step 3 of 6" into progress.
local M = { output_filter = { "step " } } -- other lines never come here

function M.output(ctx, ev)
  local step, steps = ev.line:match("step (%d+) of (%d+)")
  if step then
    return { progress = 100 * step / steps, message = `step {step}` }
  end
end

return M
