# An app server that knows nothing of the balancer: the brief's, in Sinatra, with its users in memory.
# ruby app.rb [PORT]: on any free port without one; the "Listening on" line names it.
require "sinatra/base"

class App < Sinatra::Base
  set :host_authorization, {} # a balancer keeps the client's Host
  set :environment, :production
  set :server, %w[puma webrick] # the first that is installed
  set :bind, "127.0.0.1"
  disable :logging, :show_exceptions, :protection

  USERS = {}
  LOCK = Mutex.new

  post "/register" do
    user, password = required("username", "password")
    LOCK.synchronize do
      halt 409, "taken\n" if USERS.key?(user)
      USERS[user] = password
    end
    status 201
    "registered #{user}\n"
  end

  post "/changePassword" do
    user, password, new_password = required("username", "password", "newPassword")
    LOCK.synchronize do
      halt 404, "unknown\n" unless USERS.key?(user)
      halt 403, "wrong password\n" unless USERS[user] == password
      USERS[user] = new_password
    end
    "changed #{user}\n"
  end

  # The user by HTTP Basic, or by query string as the brief has it.
  get "/login" do
    basic = Rack::Auth::Basic::Request.new(env)
    user, password = basic.provided? && basic.basic? ? basic.credentials : params.values_at("username", "password")
    known = LOCK.synchronize { USERS[user] }
    halt 401, "wrong user or password\n" if known.nil? || known != password
    "welcome #{user}\n"
  end

  def required(*names)
    names.map { |name| params[name].to_s.empty? ? halt(400, "#{name} is missing\n") : params[name] }
  end
end

$stdout.sync = true
App.run!(port: ARGV.fetch(0, "0").to_i) do |server|
  # Puma says it by itself.
  puts "* Listening on http://127.0.0.1:#{server.listeners[0].addr[1]}" if server.respond_to?(:listeners)
end
