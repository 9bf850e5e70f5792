# Reads the formula as Homebrew would, once for each machine, and looks whether what it names is there.
#
# usage: ruby release_formula.rb FORMULA FOLDER UNPACKED
require "digest"
require "pathname"

# What the formula calls, as far as it does. `SEEN` is what it asked for on the machine that is played.
SEEN = {}
MACHINE = {}

module Asking
  def on_macos = (yield if MACHINE[:system] == :macos)
  def on_linux = (yield if MACHINE[:system] == :linux)
  def on_arm = (yield if MACHINE[:processor] == :arm64)
  def on_intel = (yield if MACHINE[:processor] == :x86_64)
  def depends_on(what) = (SEEN[:refused] = true if what[:arch] && what[:arch] != MACHINE[:processor])
  def url(value) = SEEN[:url] = value
  def sha256(value) = SEEN[:sha256] = value
  def version(value = nil) = value ? SEEN[:version] = value : SEEN[:version]
  def desc(value) = SEEN[:desc] = value
  def homepage(value) = SEEN[:homepage] = value
  def license(value) = SEEN[:license] = value
  def test = nil
end

class Place
  def install(what)
    what = [what].flatten.flat_map { |one| one.is_a?(Hash) ? one.keys : [one] }
    raise "nothing is installed" if what.empty?
    what.each { |path| raise "#{path} is not in the archive" unless File.file?(path) }
    (SEEN[:installed] ||= []).concat(what)
  end
end

class Formula
  extend Asking
  %i[bin man1 bash_completion zsh_completion fish_completion].each { |name| define_method(name) { Place.new } }
end

formula, folder, unpacked = ARGV.map { |path| Pathname.new(path).expand_path }
tried = 0
[[:macos, :arm64], [:macos, :x86_64], [:linux, :x86_64], [:linux, :arm64]].each do |system, processor|
  SEEN.clear
  MACHINE.replace(system:, processor:)
  Object.send(:remove_const, :Sandproof) if Object.const_defined?(:Sandproof)
  load formula.to_s
  if [system, processor] == [:macos, :x86_64]
    raise "the formula would install on Macs that it has nothing for" unless SEEN[:refused]
    next
  end
  raise "the formula refuses #{system} on #{processor}" if SEEN[:refused]
  archive = folder.join(File.basename(SEEN.fetch(:url)))
  raise "desc is too long, or names the formula" if SEEN[:desc].length > 80 || SEEN[:desc] =~ /sandproof/i
  next unless archive.file?
  digest = Digest::SHA256.file(archive.to_s).hexdigest
  raise "the formula has #{SEEN[:sha256]} for #{archive.basename}, which is #{digest}" unless SEEN[:sha256] == digest
  Dir.chdir(unpacked.join(archive.basename(".tar.xz"))) { Sandproof.new.install }
  raise "it installs only #{SEEN[:installed]}" unless SEEN[:installed].length > 30
  tried += 1
end
raise "no archive was there to be held against the formula" if tried.zero?
puts "Homebrew: the formula leads to #{tried} archives, and installs what is in them; not run"
