-- Gives each attempt a scratch directory of its own, as $SCRATCH, and has it removed when the job is done. The removal
-- is written down before the job starts, so it happens even if the host dies meanwhile.
local M = {}

function M.before(ctx, ev)
  local path = `{ctx.workdir}/.neap/scratch/{ctx.run.id}-{ctx.attempt.number}`
  ctx:on_cleanup { remove = path }
  return { env = { SCRATCH = path } }
end

return M
