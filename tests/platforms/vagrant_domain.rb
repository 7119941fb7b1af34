# Runs in Debian's Vagrant: for the Vagrantfile in each directory that is named, what validation says of it, and the
# domain that vagrant-libvirt's own action makes and hands to libvirt; here the object below has it. JSON on stdout.
require "json"
require "vagrant"

class Servers
  def create(options)
    throw :made, options[:xml]
  end
end

def domain(directory)
  place = Vagrant::Environment.new(cwd: directory, ui_class: Vagrant::UI::Silent)
  machine = place.machine(:default, :libvirt)
  machine.box = Struct.new(:name).new("box")
  connection = Struct.new(:servers).new(Servers.new)
  machine.provider.driver.define_singleton_method(:connection) { connection }
  errors = machine.config.validate(machine).values.flatten
  action = VagrantPlugins::ProviderLibvirt::Action::CreateDomain.new(nil, {})
  xml = catch(:made) do
    action.call(machine: machine, domain_name: "x", root_path: place.root_path, domain_volumes: [], ui: place.ui)
  end
  { errors: errors, xml: xml }
end

puts JSON.generate(ARGV.map { |directory| domain(directory) })
